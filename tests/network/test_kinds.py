"""Every kind of network gets its verdict: studied, studied with words, or refused with them."""

import re

import pytest
import torch

import tiny
from kinds_network import KINDS, Kind
from phosphene.attribution import gradient
from phosphene.errors import ObjectiveError, PhospheneError
from phosphene.network import Network
from phosphene.objectives import Channel


def told(network: Network) -> str:
    """All that a network says about itself where something is unusual."""
    said = [*network.remarks]
    said += [f"{name} sees {field}" for name, field in network.fields.items() if field.bound]
    for name, _ in network.module.named_modules():
        if name and not any(layer.partition("[")[0] == name for layer in network.layers):
            try:
                network.layer(name)
            except PhospheneError as error:
                said.append(str(error))
    return "\n".join(said)


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


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_gets_its_verdict(kind: Kind) -> None:
    module = tiny.seeded(kind.make)
    if kind.verdict == "refused":
        with pytest.raises(PhospheneError, match=f"(?s){kind.words}"):
            Network(module, kind.input).layers  # noqa: B018 - the trial
        return
    network = Network(module, kind.input)
    answers(network)
    said = told(network)
    if kind.verdict == "yes":
        assert not network.remarks
    else:
        assert re.search(f"(?s){kind.words}", said), said


def test_names_are_told_apart() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
