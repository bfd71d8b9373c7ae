"""A first look at units."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, mapped
from phosphene.figures.ink.layout import breadth, gallery, titled
from phosphene.probes import Look
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
    paper = titled(f"A look at {look.network}", f"{words}.", breadth(max(columns, 5), SIDE))
    for name, drawing, seen in zip(look.names, look.drawings, look.seen, strict=True):
        paper.heading(name)
        told = "nothing wakes it" if drawing.silent else f"drawn: {number(drawing.activation)}"
        patches = [captioned(patch.patch, number(patch.value)) for patch in seen]
        gallery(paper, [captioned(drawing.picture, told), *patches], SIDE)
        maps = [mapped(patch.map, "") for patch in seen if patch.map is not None]
        if maps:
            gallery(paper, [(None, ""), *maps], SIDE)
    return paper.image()
