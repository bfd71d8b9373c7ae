"""Pictures of objectives."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import Pictured
from phosphene.results import sheet
from phosphene.words import number


@sheet.register
def pictured_sheet(made: Pictured) -> Image.Image:
    """A picture for each objective, with its score."""
    items = [
        captioned(picture, f"{objective}: {number(score)}")
        for picture, objective, score in zip(
            made.pictures, made.objectives, made.scores, strict=True
        )
    ]
    return composed("Pictures of objectives", made.summary, items)
