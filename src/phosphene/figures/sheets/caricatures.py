"""A picture as layers exaggerate it."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import (
    Caricature,
)
from phosphene.results import sheet
from phosphene.words import NO_BREAK, number


@sheet.register
def caricature_sheet(made: Caricature) -> Image.Image:
    """The picture, and its caricature at each layer."""
    drawn = [
        captioned(
            picture,
            f"{layer}: cosine {number(cosine)}, {number(length)}{NO_BREAK}× as strong",
        )
        for layer, picture, cosine, length in zip(
            made.layers, made.pictures, made.cosines, made.lengths, strict=True
        )
    ]
    items = [captioned(made.original, "the picture"), *drawn]
    return composed("Caricatures", made.summary, items)
