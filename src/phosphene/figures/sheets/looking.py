"""A first look at units."""

from PIL import Image

from phosphene.figures.ink.layout import GAP, Captioned, gallery, titled
from phosphene.figures.ink.palette import full_strength, on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.paper import MARGIN
from phosphene.probes import Look, Seen
from phosphene.results import sheet
from phosphene.words import number, plural

SIDE = 1.3


@sheet.register
def look_sheet(look: Look) -> Image.Image:
    """A strip for each unit: what was drawn for it, its strongest patches, and their maps below."""
    columns = 1 + max(map(len, look.seen), default=0)
    words = "What is drawn for each unit"
    if look.pictures:
        words += (
            f", then the patches of {plural(look.pictures, 'picture')} that excite it most; below "
            "them which pixels it answers to, by guided backpropagation"
        )
    paper = titled(f"A look at {look.network}", f"{words}.", _width(max(columns, 5)))
    for name, drawing, seen in zip(look.names, look.drawings, look.seen, strict=True):
        paper.heading(name)
        told = "nothing wakes it" if drawing.silent else f"drawn: {number(drawing.activation)}"
        drawn = picture_to_image(drawing.picture.numpy())
        gallery(paper, [(drawn, told), *map(_patch, seen)], SIDE)
        if any(patch.map is not None for patch in seen):
            gallery(paper, [(None, ""), *map(_map, seen)], SIDE)
    return paper.image()


def _width(columns: int) -> float:
    return 2 * MARGIN + columns * (SIDE + GAP) - GAP


def _patch(seen: Seen) -> Captioned:
    return picture_to_image(seen.patch.numpy()), number(seen.value)


def _map(seen: Seen) -> Captioned:
    if seen.map is None:
        return None, ""
    values = seen.map.numpy()
    return on_paper(signed_to_rgba(values, full_strength(values))), ""
