"""A picture, and what layers make of it: what they exaggerate, what they keep."""

from collections.abc import Iterable

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import Caricature, Inversion
from phosphene.results import sheet
from phosphene.words import NO_BREAK, number, percent


@sheet.register
def caricature_sheet(made: Caricature) -> Image.Image:
    """The picture, and its caricature at each layer."""
    told = (
        f"cosine {number(cosine)}, {number(length)}{NO_BREAK}× as strong"
        for cosine, length in zip(made.cosines, made.lengths, strict=True)
    )
    return _beside_the_picture("Caricatures", made, told)


@sheet.register
def inversion_sheet(made: Inversion) -> Image.Image:
    """The picture, and what each layer kept of it with the relative error there."""
    told = (f"error {percent(error)}" for error in made.errors)
    return _beside_the_picture("What is left in each layer", made, told)


def _beside_the_picture(
    title: str, made: Caricature | Inversion, told: Iterable[str]
) -> Image.Image:
    """The picture itself, then that of each layer with what is told of it."""
    made_of_it = [
        captioned(picture, f"{layer}: {words}")
        for layer, picture, words in zip(made.layers, made.pictures, told, strict=True)
    ]
    return composed(title, made.summary, [captioned(made.original, "the picture"), *made_of_it])
