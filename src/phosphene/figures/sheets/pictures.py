"""Plain pictures with words under them, and mosaics of hundreds, real ones or drawn ones."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.errors import InputError
from phosphene.figures.ink.layout import (
    COLUMNS,
    GAP,
    LARGE,
    SIDE,
    SMALL,
    WIDTH,
    Captioned,
    gallery,
    titled,
)
from phosphene.figures.ink.palette import full_strength, on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.paper import DPI, LINE, MARGIN, Paper
from phosphene.figures.ink.png import enlarge
from phosphene.maximize import Drawing
from phosphene.network import Network
from phosphene.results import sheet
from phosphene.words import class_name, number, plural

MOSAIC_GAP = 1


def pictures_sheet(
    pictures: Float[Tensor, "b c h w"],
    captions: Sequence[str],
    title: str,
    words: str = "",
    columns: int | None = None,
) -> Image.Image:
    """Pictures in [0, 1] in rows, each with its caption.

    In rows of up to five they are shown larger; so are up to ten pictures, unless `columns` says
    otherwise.

    Raises:
        InputError: not a caption for each picture.
    """
    if len(pictures) != len(captions):
        raise InputError(
            f"{len(captions)} captions were given for {len(pictures)} pictures; expected one each"
        )
    items: list[Captioned] = [
        (picture_to_image(picture.cpu().numpy()), caption)
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    return _sheet(items, title, words, columns)


def drawings_sheet(network: Network, drawings: Sequence[Drawing], words: str = "") -> Image.Image:
    """What was drawn for the units of one layer, each with what the unit answers to it.

    Silent units are told and not shown: there is no picture that would say something true.
    """
    names = sorted({network.layer(drawing.unit.layer).name for drawing in drawings})
    silent = sum(drawing.silent for drawing in drawings)
    told = f"{plural(len(drawings), 'unit')}, {silent or 'none'} silent. {words}".strip()
    return _sheet([_drawn(network, drawing) for drawing in drawings], ", ".join(names), told)


@sheet.register
def _(drawing: Drawing) -> Image.Image:
    """One drawing by itself; what there is, also of a silent unit."""
    image = picture_to_image(drawing.picture.numpy())
    return _sheet([(image, drawing.summary)], str(drawing.unit), "", None)


@sheet.register
def _(drawings: list) -> Image.Image:  # type: ignore[type-arg]
    """Several drawings, each with its unit and what that answers; `drawings_sheet` names classes.

    Raises:
        InputError: a list of something else.
    """
    if not drawings or not all(isinstance(drawing, Drawing) for drawing in drawings):
        raise InputError(
            f"a list of {type(drawings[0]).__name__ if drawings else 'nothing'} has no figure; "
            "give what `draw` returns, or one result"
        )
    items = [
        (picture_to_image(drawing.picture.numpy()), f"{drawing.unit}: {number(drawing.activation)}")
        for drawing in drawings
    ]
    silent = sum(drawing.silent for drawing in drawings)
    return _sheet(items, plural(len(drawings), "drawing"), f"{silent or 'None'} silent.")


@sheet.register
def _(shown: Tensor) -> Image.Image:
    """Maps or pictures, `b c h w` or one of them; what has values below 0 is taken for maps.

    Raises:
        InputError: another shape.
    """
    batch = shown[None] if shown.ndim == 3 else shown
    if batch.ndim != 4 or not len(batch):
        raise InputError(
            f"values of shape {tuple(shown.shape)} have no figure; give pictures or maps b c h w"
        )
    if bool((batch < 0).any()):
        return maps_sheet(batch)
    return pictures_sheet(batch, [str(i) for i in range(len(batch))], "Pictures")


def maps_sheet(maps: Float[Tensor, "b c h w"], title: str = "Maps") -> Image.Image:
    """Signed maps, each in a range of its own, told below it."""
    items: list[Captioned] = [
        (
            on_paper(signed_to_rgba(one.numpy(), full_strength(one.numpy()))),
            f"{i}: up to {number(float(one.abs().max()))}",
        )
        for i, one in enumerate(maps.cpu())
    ]
    colours = (
        "Grey is 0, colours are the channels'"
        if maps.shape[1] == 3
        else ("Blue for more, red for less")
    )
    return _sheet(items, title, f"{colours}; each in a range of its own.")


def _drawn(network: Network, drawing: Drawing) -> Captioned:
    outputs = network.classifies and network.layer(drawing.unit.layer).name == network.logits.name
    index = drawing.unit.index
    name = f"class {class_name(network.classes, index)}" if outputs else str(index)
    if drawing.silent:
        return None, f"{name}: nothing wakes it"
    return picture_to_image(drawing.picture.numpy()), f"{name}: {number(drawing.activation)}"


def _sheet(
    items: Sequence[Captioned], title: str, words: str, columns: int | None = None
) -> Image.Image:
    """Rows of `columns`, by default of five for up to ten pictures and of nine for more."""
    columns = min(len(items), columns or (5 if len(items) <= 10 else COLUMNS))
    side = LARGE if columns <= 5 else SIDE
    width = 2 * MARGIN + columns * (side + GAP) - GAP
    paper = titled(title, words, max(width, 0.55 * WIDTH))
    paper.top += 0.15
    for row in range(0, len(items), columns):
        gallery(paper, items[row : row + columns], side)
    return paper.image()


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
    height, width = (scale * side for side in images[0].shape[:2])
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    block = Image.new(
        "RGB",
        (columns * (width + MOSAIC_GAP) - MOSAIC_GAP, rows * (height + MOSAIC_GAP) - MOSAIC_GAP),
        LINE,
    )
    for i, image in enumerate(images):
        place = (i % columns * (width + MOSAIC_GAP), i // columns * (height + MOSAIC_GAP))
        block.paste(Image.fromarray(enlarge(image, scale)), place)
    return block
