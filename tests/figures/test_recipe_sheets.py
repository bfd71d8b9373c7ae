"""Sheets of recipes: every picture that was made is on them, whole."""

import numpy as np
import pytest
import torch
from torch import Tensor

from drawn import edges_are_blank, holds
from phosphene.evaluation import Confirmed
from phosphene.figures import picture_to_image
from phosphene.figures.ink.layout import LARGE
from phosphene.figures.ink.paper import DPI
from phosphene.objectives import Channel, Norm
from phosphene.probes import (
    Caricature,
    ClassModels,
    Dream,
    Facets,
    Interpolation,
    Inversion,
    Pictured,
)
from phosphene.results import Result, sheet

MADE = torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(0))
WHOLE = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(1))
A, B = Channel("conv", 0), Channel("conv", 1)

ANSWERS: list[tuple[Result, list[Tensor], float]] = [
    (
        ClassModels(
            "net",
            ("cat", "dog", "cow"),
            (0, 1, 2),
            MADE,
            Confirmed(torch.tensor([1, 2, 13]), torch.rand(3), torch.rand(3)),
        ),
        list(MADE),
        LARGE,
    ),
    (Dream("net", Norm("conv"), WHOLE, MADE[0], ((20, 20),), (1.0, 2.0)), [WHOLE, MADE[0]], 3.4),
    (Inversion("net", WHOLE, ("a", "b", "c"), MADE, (0.1, 0.2, 0.3)), [WHOLE, *MADE], LARGE),
    (
        Caricature("net", WHOLE, ("a", "b", "c"), MADE, (0.9, 0.8, 0.7), (1.5, 2.0, 3.0)),
        [WHOLE, *MADE],
        LARGE,
    ),
    (Pictured("net", (A, B, A - B), MADE, (1.0, 2.0, 3.0)), list(MADE), LARGE),
    (Interpolation("net", A, B, (0.0, 0.5, 1.0), MADE, torch.rand(3, 2)), list(MADE), LARGE),
    (Facets("net", A, "conv", MADE, (1.0, 2.0, 3.0), (0.1, 0.2, 0.3)), list(MADE), LARGE),
]


@pytest.mark.later
@pytest.mark.parametrize(
    ("answer", "pictures", "side"), ANSWERS, ids=[type(a).__name__ for a, _, _ in ANSWERS]
)
def test_every_picture_is_shown(answer: Result, pictures: list[Tensor], side: float) -> None:
    drawn = np.asarray(sheet(answer))
    assert edges_are_blank(drawn)
    for picture in pictures:
        assert holds(drawn, picture_to_image(picture.numpy()), round(side * DPI) // 20)
