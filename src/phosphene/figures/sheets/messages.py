"""A message hidden in pictures of noise."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import SMALL, gallery, titled
from phosphene.figures.ink.paper import SOFT
from phosphene.probes import Message
from phosphene.results import sheet
from phosphene.words import number

TILES = 40
"""How many pictures of a message are shown."""


@sheet.register
def message_sheet(message: Message, most: int = TILES) -> Image.Image:
    """The first `most` pictures of a message, each with the symbol it stands for."""
    paper = titled("A message in noise", message.summary)
    paper.top += 0.15
    gallery(
        paper,
        [
            captioned(picture, f"{symbol}, p {number(sure)}")
            for picture, symbol, sure in zip(
                message.pictures[:most], message.symbols, message.confidence.tolist(), strict=False
            )
        ],
    )
    left_out = len(message.symbols) - most
    if left_out > 0:
        paper.top += paper.write(f"{left_out:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()
