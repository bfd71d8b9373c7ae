"""What recipes of activation maximization made, as one figure each."""

import math
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from phosphene.figures.ink.layout import Captioned, gallery, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.sheets.study import GAP, LARGE, WIDTH
from phosphene.probes import (
    Caricature,
    ClassModels,
    Dream,
    Facets,
    Interpolation,
    Inversion,
    Pictured,
)
from phosphene.results import sheet
from phosphene.words import NO_BREAK, number, percent

COLUMNS = 5
WIDE = 3.4
"""Inches for a picture that has every pixel of a photograph."""


@sheet.register
def classes_sheet(made: ClassModels) -> Image.Image:
    """Each class's picture with its rank, its probability and how well it stands small moves."""
    confirmed = made.confirmed
    captions = [
        f"{name}: {_rank(rank)}, p{NO_BREAK}{percent(p)}; {percent(robust)} of moved copies"
        for name, rank, p, robust in zip(
            made.names,
            confirmed.ranks.tolist(),
            confirmed.probabilities.tolist(),
            confirmed.robust.tolist(),
            strict=True,
        )
    ]
    return _sheet("Class pictures", made.summary, made.pictures, captions)


@sheet.register
def dream_sheet(made: Dream) -> Image.Image:
    """The photograph beside what became of it."""
    before, after = (number(score) for score in made.scores)
    return _compose(
        "DeepDream",
        made.summary,
        [
            (_image(made.original), f"the photograph: {before}"),
            (_image(made.picture), f"the dream: {after}"),
        ],
        WIDE,
    )


@sheet.register
def inversion_sheet(made: Inversion) -> Image.Image:
    """The picture, and what each layer kept of it with the relative error there."""
    items = [(_image(made.original), "the picture")]
    for layer, picture, error in zip(made.layers, made.pictures, made.errors, strict=True):
        items.append((_image(picture), f"{layer}: error {percent(error)}"))
    return _compose("What is left in each layer", made.summary, items)


@sheet.register
def caricature_sheet(made: Caricature) -> Image.Image:
    """The picture, and its caricature at each layer."""
    items = [(_image(made.original), "the picture")]
    for layer, picture, cosine, length in zip(
        made.layers, made.pictures, made.cosines, made.lengths, strict=True
    ):
        words = f"{layer}: cosine {number(cosine)}, {number(length)}{NO_BREAK}× as strong"
        items.append((_image(picture), words))
    return _compose("Caricatures", made.summary, items)


@sheet.register
def pictured_sheet(made: Pictured) -> Image.Image:
    """A picture for each objective, with its score."""
    captions = [
        f"{objective}: {number(score)}"
        for objective, score in zip(made.objectives, made.scores, strict=True)
    ]
    return _sheet("Pictures of objectives", made.summary, made.pictures, captions)


@sheet.register
def interpolation_sheet(made: Interpolation) -> Image.Image:
    """All mixtures in order, with what both ends say to each."""
    captions = [
        f"{percent(share)}: {number(first)} and {number(second)}"
        for share, (first, second) in zip(made.shares, made.scores.tolist(), strict=True)
    ]
    return _sheet("From one unit to another", made.summary, made.pictures, captions)


@sheet.register
def facets_sheet(made: Facets) -> Image.Image:
    """All facets, with their score and how alike each is to the others."""
    captions = [
        f"{number(score)}, {number(alike)} alike"
        for score, alike in zip(made.scores, made.similarity, strict=True)
    ]
    return _sheet("Facets of a unit", made.summary, made.pictures, captions)


def _sheet(title: str, words: str, pictures: Tensor, captions: Sequence[str]) -> Image.Image:
    items = [(_image(p), caption) for p, caption in zip(pictures, captions, strict=True)]
    return _compose(title, words, items)


def _compose(
    title: str, words: str, items: Sequence[Captioned], side: float = LARGE
) -> Image.Image:
    most = COLUMNS if side == LARGE else 2
    columns = math.ceil(len(items) / math.ceil(len(items) / most))  # no lone one in the last row
    width = 2 * MARGIN + columns * (side + GAP) - GAP
    paper = titled(title, words, max(width, 0.55 * WIDTH))
    paper.top += 0.15
    gallery(paper, items, side)
    return paper.image()


def _image(picture: Tensor) -> AnyImage:
    return picture_to_image(picture.numpy())


def _rank(rank: int) -> str:
    """As a place: first, or which.

    >>> _rank(1), _rank(12)
    ('read first', 'read 12th')
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    if rank == 1:
        return "read first"
    return f"read {rank}{'th' if rank % 100 in {11, 12, 13} else endings.get(rank % 10, 'th')}"
