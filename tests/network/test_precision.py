"""Networks whose weights are not single precision."""

import pytest
import torch

from phosphene.attribution import guided
from phosphene.maximize import Recipe, draw
from phosphene.network import Input, Network
from phosphene.objectives import Logit
from phosphene.training import seeded
from phosphene.units import LOGITS, Unit
from phosphene.zoo import hvass


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
@pytest.mark.slow
def test_a_network_of_any_precision_is_studied(precision: torch.dtype) -> None:
    single = Network(seeded(hvass, 0), Input(1, (28, 28)))
    network = Network(seeded(hvass, 0).to(precision), Input(1, (28, 28)))
    pictures = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert network.fields == single.fields
    close = {"atol": 0.05, "rtol": 0.05}
    assert torch.allclose(
        network.probabilities(pictures).float(), single.probabilities(pictures), **close
    )
    maps = guided(network, pictures, Logit(3))
    assert maps.dtype == torch.float32
    (drawing,) = draw(network, [Unit("fc2", 1)], Recipe(steps=2))
    assert drawing.picture.dtype == torch.float32


@pytest.mark.later
def test_the_logits_have_a_patch() -> None:
    network = Network(seeded(hvass, 0), Input(1, (28, 28)))
    assert network.patch(LOGITS) == network.patch("fc2")
