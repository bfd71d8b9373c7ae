"""Kinds of networks that people have, each the smallest of its kind: what is done with it.

    PYTHONPATH=tests python tests/kinds.py docs/networks.md     # write the page's table anew

Each is taken, taken with words, or refused with a reason. `tests/network/test_kinds.py` holds every
entry and the page.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

import tiny
from phosphene.errors import PhospheneError
from phosphene.network import Input, Network

Verdict = Literal["yes", "yes, and says so", "refused"]

BEGIN, END = "<!-- kinds: written by tests/kinds.py -->", "<!-- end of kinds -->"


@dataclass(frozen=True)
class Kind:
    """A kind of network: how one is made, its input, the verdict, and a pattern of what is said.

    `saying` is what its owner says of it: labels, output, task.
    """

    name: str
    make: Callable[[], nn.Module]
    input: Input
    verdict: Verdict
    words: str = ""
    saying: Mapping[str, Any] = field(default_factory=dict)

    def network(self) -> Network:
        """One of that kind, the same each time."""
        return Network(tiny.seeded(self.make).eval(), self.input, name="the network", **self.saying)


def looked_at(kind: Kind) -> Network:
    """One of that kind after it was looked at; raises `PhospheneError` where it is refused."""
    network = kind.network()
    assert network.layers
    if network.classifies:
        assert network.classes
    return network


def told(network: Network) -> list[str]:
    """All that a network says about itself where something is unusual."""
    said = [*network.remarks]
    if network.unread:
        said.append(network.unread)
    elif network.reading.how == "assumed":
        said.append(str(network.reading))
    said += [f"{name} sees {seen}" for name, seen in network.fields.items() if seen.bound]
    for name, _ in network.module.named_modules():
        if name and not any(layer.partition("[")[0] == name for layer in network.layers):
            try:
                network.layer(name)
            except PhospheneError as error:
                said.append(str(error))
    return said


def table(kinds: Iterable[Kind]) -> str:
    """The kinds as a table of Markdown, the refused last, each with the first thing it says."""
    order: list[Verdict] = ["yes", "yes, and says so", "refused"]
    rows = ["| network | taken | what is said |", "|---|---|---|"]
    for kind in sorted(kinds, key=lambda kind: order.index(kind.verdict)):
        said = ""
        try:
            network = looked_at(kind)
            if kind.verdict != "yes":
                said = next(text for text in told(network) if re.search(kind.words, text, re.S))
        except PhospheneError as error:
            said = str(error)
        rows.append(f"| {kind.name} | {kind.verdict} | {_short(said)} |")
    return "\n".join(rows)


def written(page: str, rows: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def _short(said: str, most: int = 260) -> str:
    said = said.replace("|", r"\|").replace("\n", " ")
    return said if len(said) <= most else said[:most].rpartition(" ")[0] + " …"


if __name__ == "__main__":
    import kinds_network
    import kinds_outputs

    path = Path(sys.argv[1])
    rows = table([*kinds_outputs.KINDS, *kinds_network.KINDS])
    path.write_text(written(path.read_text("utf-8"), rows), encoding="utf-8")
