"""Mosaics of hundreds of pictures."""

from collections.abc import Mapping

from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from phosphene.errors import InputError
from phosphene.figures.ink.layout import GAP, SMALL, WIDTH
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import DPI, LINE, MARGIN, Paper
from phosphene.figures.ink.png import enlarge

LINES = 1
"""Pixels between pictures."""


def mosaic_sheet(
    groups: Mapping[str, Float[Tensor, "_ c h w"]], columns: int = 20, title: str = ""
) -> Image.Image:
    """Many pictures at their own size, `columns` in a row, in a block for each group.

    As many blocks as fit stand side by side, each under its name.

    Raises:
        InputError: a group without pictures, or fewer than one column.
    """
    empty = [name for name, pictures in groups.items() if not len(pictures)]
    if empty or columns < 1:
        raise InputError(
            f"a mosaic in {columns} columns with no pictures in {empty}; "
            "expected at least one column, and a picture in each group"
        )
    blocks = {name: _block(pictures, columns) for name, pictures in groups.items()}
    wide = max(block.width for block in blocks.values()) / DPI
    beside = max(1, min(len(blocks), int((WIDTH - 2 * MARGIN + 2 * GAP) / (wide + 2 * GAP))))
    paper = Paper(max(2 * MARGIN + beside * (wide + 2 * GAP) - 2 * GAP, 0.4 * WIDTH))
    if title:
        paper.top += paper.write(title, size=17.0, weight="bold") + 0.1
    named = list(blocks.items())
    for start in range(0, len(named), beside):
        tallest = 0.0
        for column, (name, block) in enumerate(named[start : start + beside]):
            left = MARGIN + column * (wide + 2 * GAP)
            below = paper.write(name, left, paper.top, wide, SMALL + 1.5) + 0.06
            paper.paste(block, left, paper.top + below)
            tallest = max(tallest, below + block.height / DPI)
        paper.top += tallest + 0.2
    return paper.image()


def _block(pictures: Float[Tensor, "n c h w"], columns: int) -> Image.Image:
    """Pictures in rows with lines between them, as large as they are; tiny ones are enlarged."""
    images = [picture_to_image(picture) for picture in pictures.cpu().numpy()]
    scale = max(1, 24 // max(images[0].shape[:2]))
    height, width = (scale * side + LINES for side in images[0].shape[:2])
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    block = Image.new("RGB", (columns * width + LINES, rows * height + LINES), "white")
    for i, image in enumerate(images):
        tile = ImageOps.expand(Image.fromarray(enlarge(image, scale)).convert("RGB"), LINES, LINE)
        block.paste(tile, (i % columns * width, i // columns * height))
    return block
