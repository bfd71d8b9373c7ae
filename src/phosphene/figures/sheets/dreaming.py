"""A photograph and the dream it became."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import Dream
from phosphene.results import sheet
from phosphene.words import number

WIDE = 3.4
"""Inches for a picture that has every pixel of a photograph."""


@sheet.register
def dream_sheet(made: Dream) -> Image.Image:
    """The photograph beside what became of it."""
    before, after = (number(score) for score in made.scores)
    items = [
        captioned(made.original, f"the photograph: {before}"),
        captioned(made.picture, f"the dream: {after}"),
    ]
    return composed("DeepDream", made.summary, items, WIDE)
