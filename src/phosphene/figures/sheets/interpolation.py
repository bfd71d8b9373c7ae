"""The way from one unit to another."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import Interpolation
from phosphene.results import sheet
from phosphene.words import number, percent


@sheet.register
def interpolation_sheet(made: Interpolation) -> Image.Image:
    """All mixtures in order, with what both ends say to each."""
    items = [
        captioned(picture, f"{percent(share)}: {number(first)} and {number(second)}")
        for picture, share, (first, second) in zip(
            made.pictures, made.shares, made.scores.tolist(), strict=True
        )
    ]
    return composed("From one unit to another", made.summary, items)
