"""Every kind of network gets its verdict: studied, studied with words, or refused with them."""

import re
from pathlib import Path

import pytest
import torch

import kinds_network
import kinds_outputs
import tiny
from kinds import Kind, looked_at, table, told, written
from phosphene.attribution import gradient
from phosphene.errors import ObjectiveError, PhospheneError
from phosphene.network import Network
from phosphene.objectives import Channel

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
KINDS = [*kinds_outputs.KINDS, *kinds_network.KINDS]


def answers(network: Network, kind: Kind) -> None:
    """What is asked of every network that is taken: rows are the pictures', in any company."""
    pictures = tiny.pictures(network, 5)
    together = network.record(pictures, list(network.layers))
    for name, layer in network.layers.items():
        assert together[name].shape == (5, *layer.shape), name
        alone = torch.cat([network.record(p[None], [name])[name] for p in pictures])
        torch.testing.assert_close(alone, together[name], atol=1e-5, rtol=1e-4)
    assert network.fields.keys() == network.layers.keys()
    assert network.fingerprint == kind.network().fingerprint
    last = list(network.layers)[-1]
    try:
        both = gradient(network, pictures[:2], Channel(last, 0))
    except ObjectiveError:
        return  # quantised layers have no gradient
    torch.testing.assert_close(both[:1], gradient(network, pictures[:1], Channel(last, 0)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_gets_its_verdict(kind: Kind) -> None:
    if kind.verdict == "refused":
        with pytest.raises(PhospheneError, match=f"(?s){kind.words}"):
            looked_at(kind)
        return
    network = looked_at(kind)
    answers(network, kind)
    if kind.verdict == "yes":
        assert not network.remarks
        assert network.classifies
    else:
        said = "\n".join(told(network))
        assert re.search(kind.words or "$^", said, re.DOTALL), said


def test_names_are_told_apart() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.slow
def test_the_page_has_the_table() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page, table(KINDS)) == page, (
        "write it anew: PYTHONPATH=tests python tests/kinds.py docs/networks.md"
    )
