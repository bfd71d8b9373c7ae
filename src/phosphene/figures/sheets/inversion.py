"""What layers keep of a picture."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import (
    Inversion,
)
from phosphene.results import sheet
from phosphene.words import percent


@sheet.register
def inversion_sheet(made: Inversion) -> Image.Image:
    """The picture, and what each layer kept of it with the relative error there."""
    kept = [
        captioned(picture, f"{layer}: error {percent(error)}")
        for layer, picture, error in zip(made.layers, made.pictures, made.errors, strict=True)
    ]
    items = [captioned(made.original, "the picture"), *kept]
    return composed("What is left in each layer", made.summary, items)
