"""What a unit is made of in a picture: a tree from left to right, down to patches and pixels."""

from numpy import linspace
from PIL import Image

from phosphene.circuits import Part, Tree
from phosphene.figures.ink.branches import Placed, placed
from phosphene.figures.ink.compositions import captioned, mapped
from phosphene.figures.ink.layout import BLUE, RED, SMALL, titled
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.results import sheet
from phosphene.words import number, percent, plural, signed

PICTURE, BETWEEN, WORDS = 0.62, 0.06, 1.25
"""Inches of a patch and of its map, between them, and of the words beside them."""

GAP = 0.62
"""In which lines run."""

PITCH = 2 * (PICTURE + BETWEEN) + WORDS + GAP
"""From one level to the next."""

ROW = 0.86
"""From one part to the next."""

_STRONGEST = 3.2
"""Points that the line of the strongest edge of a unit is wide."""


@sheet.register
def tree_sheet(tree: Tree) -> Image.Image:
    """The tree: each part with the patch it sees, its map, and what removing it does.

    A line is as wide as removing the part changes what it leads to, blue where the part adds to it
    and red where it holds it down; it is dashed where the score says another thing.
    """
    nodes = placed(tree.root, lambda part: part.parts)
    levels = 1 + max(node.level for node in nodes)
    words = (
        "Each part with where it acts, and which pixels matter on the way through it; beside it "
        "what it adds by its score, and what is lost without it. Blue adds, red holds down. A part "
        f"that is not there has its {tree.baseline}."
    )
    paper = titled(f"What {tree.root.name} is made of", words, 2 * MARGIN + levels * PITCH - GAP)
    paper.top += 0.1
    for level, told in enumerate(_heads(tree)):
        paper.write(told, _left(level), width=PITCH - GAP, size=SMALL, color=SOFT)
    paper.top += 0.3
    rows = 1 + max(node.row for node in nodes)
    axes = paper.chart(0, paper.top, paper.width, rows * ROW)
    axes.set(xlim=(0, paper.width), ylim=(rows * ROW, 0))
    axes.axis("off")
    for node in nodes:
        if node.parent is not None:
            _line(axes, node)
        _node(paper, node)
    paper.top += rows * ROW
    for remark in tree.remarks:
        paper.top += 0.03 + paper.write(f"{remark[0].upper()}{remark[1:]}.", size=SMALL, color=SOFT)
    return paper.image()


def _heads(tree: Tree) -> list[str]:
    """What stands above each level."""
    levels = 1 + max(node.level for node in placed(tree.root, lambda part: part.parts))
    return ["", *tree.layers[: levels - 1]]


def _left(level: int) -> float:
    return MARGIN + level * PITCH


def _line(axes: object, node: Placed[Part]) -> None:
    """From the words of a unit to the patch of its part."""
    assert node.parent is not None, "lines lead somewhere"
    part, siblings = node.node, node.parent.node.parts
    assert part.edge is not None, "a root is no part"
    most = max((abs(each.edge.removed) for each in siblings if each.edge), default=0) or 1
    start, end = _left(node.level) - GAP, _left(node.level) - 0.05
    y0, y1 = (each.row * ROW + PICTURE / 2 for each in (node.parent, node))
    middle = (start + end) / 2
    step = linspace(0, 1, 40)
    axes.plot(  # type: ignore[attr-defined]
        (1 - step) ** 3 * start + 3 * step * (1 - step) * middle + step**3 * end,
        y0 + (y1 - y0) * step**2 * (3 - 2 * step),
        color=RED if part.edge.inhibits else BLUE,
        linewidth=max(0.5, _STRONGEST * abs(part.edge.removed) / most),
        linestyle=(0, (2, 1.5)) if part.edge.contradicted else "solid",
        solid_capstyle="butt",
        alpha=0.75,
    )


def _node(paper: Paper, node: Placed[Part]) -> None:
    """A part: its patch, its map, and its figures."""
    part, left, top = node.node, _left(node.level), paper.top + node.row * ROW
    for i, (image, _) in enumerate((captioned(part.patch, ""), mapped(part.map, ""))):
        if image is not None:
            paper.picture(image, left + i * (PICTURE + BETWEEN), top, PICTURE)
    beside = left + 2 * (PICTURE + BETWEEN) + 0.02
    for words, style in _told(part):
        top += paper.write(words, beside, top, WORDS, size=SMALL, **style)


def _told(part: Part) -> list[tuple[str, dict[str, str]]]:
    """The lines beside a part, each in its style."""
    told: list[tuple[str, dict[str, str]]] = [(part.name, {"weight": "bold"})]
    if part.edge is None:
        told.append((f"answers {number(part.value)}", {}))
    else:
        colour = RED if part.edge.inhibits else BLUE
        told.append((f"adds {signed(part.edge.score)}", {"color": colour}))
        without = f"without it {signed(-part.edge.removed)}"
        told.append((f"{without} (!)" if part.edge.contradicted else without, {}))
    if part.edge is None and part.rest is not None:
        rest = part.rest
        told.append((f"{plural(rest.units, 'more unit')}: {signed(rest.score)}", {"color": SOFT}))
        if rest.completeness == rest.completeness:
            told.append((f"scores hold {percent(rest.completeness)}", {"color": SOFT}))
    return told
