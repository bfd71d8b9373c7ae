"""What is recorded of every kind of network that is taken: one row a picture, in any company.

Which are taken, and what is said, `tests/test_networks_page.py` holds.
"""

import pytest
import torch

import tiny
from kinds_network import KINDS, Kind
from phosphene.attribution import gradient
from phosphene.errors import ObjectiveError
from phosphene.network import Network
from phosphene.objectives import Channel


def answers(network: Network) -> None:
    """What is asked of every network that is taken: rows are the pictures', in any company."""
    pictures = tiny.pictures(network, 5)
    together = network.record(pictures, list(network.layers))
    for name, layer in network.layers.items():
        assert together[name].shape == (5, *layer.shape), name
        alone = torch.cat([network.record(p[None], [name])[name] for p in pictures])
        torch.testing.assert_close(alone, together[name], atol=1e-5, rtol=1e-4)
    assert network.fields.keys() == network.layers.keys()
    assert network.fingerprint == Network(network.module, network.input).fingerprint
    last = list(network.layers)[-1]
    try:
        both = gradient(network, pictures[:2], Channel(last, 0))
    except ObjectiveError:
        return  # quantised layers have no gradient
    torch.testing.assert_close(both[:1], gradient(network, pictures[:1], Channel(last, 0)))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.verdict != "refused"], ids=lambda kind: kind.name
)
def test_rows_are_the_pictures_own_in_any_company(kind: Kind) -> None:
    answers(kind.make())


def test_names_are_told_apart() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
