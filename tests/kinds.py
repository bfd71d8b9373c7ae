"""Kinds of networks that people have: what phosphene does with each, as a table for the docs.

    PYTHONPATH=tests python -m kinds docs/networks.md     # write the table anew

Each is taken, taken with words, or refused with a reason; `tests/test_networks_page.py` holds the
table to what happens.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from phosphene.attribution import gradient, guided
from phosphene.errors import PhospheneError
from phosphene.maximize import Recipe, draw
from phosphene.network import Network
from phosphene.objectives import Channel
from phosphene.types import Unit

Verdict = Literal["yes", "yes, and says so", "refused"]

BEGIN, END = "<!-- kinds: written by tests/kinds.py -->", "<!-- end of kinds -->"


@dataclass(frozen=True)
class Kind:
    """A kind of network, what is done with it, and a pattern of what is said.

    `layer` names a module that somebody would ask for, though it is no layer.
    """

    name: str
    make: Callable[[], Network]
    verdict: Verdict
    words: str = ""
    layer: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was done with a network, and what was said."""

    verdict: Verdict
    said: str = ""


def examined(kind: Kind) -> Outcome:
    """Go the whole way with a network of that kind: layers, scores, maps, a picture."""
    try:
        network = kind.make()
        said = [*network.remarks, *unusual(network, kind.layer)]
        pictures = torch.rand(3, *network.input.shape, generator=torch.Generator().manual_seed(0))
        layer = (network.default_layers or list(network.layers.values()))[0]
        network.record(pictures, [layer.name])
        if network.classifies:
            assert len(network.classes) == network.probabilities(pictures).shape[1]
        unread = network.unread
        assumed = network.classifies and network.reading.how == "assumed"
        said += [unread] if unread else [str(network.reading)] if assumed else []
        objective = Channel(layer.name, 0)
        gradient(network, pictures[:1], objective)
        try:
            guided(network, pictures[:1], objective)
        except PhospheneError as error:
            said.append(f"guided backpropagation: {error}")
        draw(network, [Unit(layer.name, 0)], Recipe(steps=1))
    except PhospheneError as error:
        return Outcome("refused", str(error))
    return Outcome("yes, and says so" if said else "yes", ". ".join(said))


def unusual(network: Network, layer: str) -> Iterator[str]:
    """What is said of fields that are bounds, and to whoever asks for a layer that there is not."""
    for name, field in network.fields.items():
        if field.bound:
            yield f"{name} sees {field}"
    if layer:
        try:
            network.layer(layer)
        except PhospheneError as error:
            yield str(error)


def check(kind: Kind) -> None:
    """Raise `AssertionError` unless a network of that kind meets what is said of it."""
    outcome = examined(kind)
    assert outcome.verdict == kind.verdict, f"{kind.name}: {outcome}"
    assert re.search(kind.words, outcome.said), f"{kind.name}: {outcome.said}"


def table(kinds: Iterable[Kind]) -> str:
    """The kinds as a table of Markdown, the refused last."""
    order: list[Verdict] = ["yes", "yes, and says so", "refused"]
    rows = ["| network | taken | what is said |", "|---|---|---|"]
    for verdict in order:
        for kind in kinds:
            if kind.verdict == verdict:
                said = _short(examined(kind).said)
                rows.append(f"| {kind.name} | {verdict} | {said} |")
    return "\n".join(rows)


def written(page: str, rows: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def _short(said: str, most: int = 300) -> str:
    said = said.replace("|", r"\|").replace("\n", " ")
    return said if len(said) <= most else said[:most].rpartition(" ")[0] + " …"


if __name__ == "__main__":
    from kinds_network import KINDS as OF_NETWORKS
    from kinds_outputs import KINDS as OF_OUTPUTS

    path = Path(sys.argv[1])
    path.write_text(
        written(path.read_text("utf-8"), table([*OF_OUTPUTS, *OF_NETWORKS])), encoding="utf-8"
    )
