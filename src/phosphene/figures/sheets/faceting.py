"""The facets of a unit."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import Facets
from phosphene.results import sheet
from phosphene.words import number


@sheet.register
def facets_sheet(made: Facets) -> Image.Image:
    """All facets, with their score and how alike each is to the others."""
    items = [
        captioned(picture, f"{number(score)}, {number(alike)} alike")
        for picture, score, alike in zip(made.pictures, made.scores, made.similarity, strict=True)
    ]
    return composed("Facets of a unit", made.summary, items)
