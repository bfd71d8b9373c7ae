"""The smallest set of units that keeps a response: how much is kept, unit by unit."""

from PIL import Image

from phosphene.circuits import Circuit
from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import BLUE, GREY, LARGE, SMALL, WIDTH, titled
from phosphene.figures.ink.paper import INK, MARGIN, SOFT, Paper
from phosphene.results import sheet
from phosphene.words import number, percent, plural

PICTURES, NAMES = 6, 24
"""How many pictures are shown, and how many units of each circuit are named."""


@sheet.register
def circuit_sheet(circuit: Circuit, pictures: int = PICTURES) -> Image.Image:
    """Each picture with its curve: the share of the response that the first n units keep."""
    target = circuit.term if circuit.term.batch is None else circuit.term.take([0])
    words = (
        f"The fewest units of {', '.join(circuit.sources)} found, {circuit.order} order, that keep "
        f"{percent(circuit.keep)} of the response; all others have their "
        f"{circuit.baselines[0].name} baseline. Every point was run."
    )
    paper = titled(f"The circuit of {target}", words)
    for row in range(min(pictures, len(circuit.sizes))):
        _picture(paper, circuit, row)
    left = len(circuit.sizes) - pictures
    if left > 0:
        paper.top += paper.write(f"{left:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()


def _picture(paper: Paper, circuit: Circuit, row: int) -> None:
    """A picture, its curve, and the units of its circuit."""
    paper.top += 0.25
    top, size = paper.top, int(circuit.sizes[row])
    image, _ = captioned(circuit.pictures[row], "")
    height = 0.0 if image is None else paper.picture(image, MARGIN, top, LARGE)
    told = f"{number(float(circuit.values[row]))}; {number(float(circuit.without[row]))} without"
    height += 0.06 + paper.write(told, MARGIN, top + height + 0.06, LARGE, SMALL)
    left, width = MARGIN + LARGE + 0.45, WIDTH - 2 * MARGIN - LARGE - 0.45
    curve = circuit.curve[row]
    if not curve.isnan().any():
        _curve(paper, circuit, row, (left, top, width, 1.0))
    units = circuit.units(row)
    names = ", ".join(map(str, units[:NAMES])) + (", …" if len(units) > NAMES else "")
    share = circuit.faithfulness[row]
    kept = "" if share.isnan() else f" keep {percent(float(share))}"
    rest = circuit.left[row]
    spare = "" if rest.isnan() else f"; without them {percent(float(rest))} is left"
    words = f"{plural(size, 'unit')} of {len(curve) - 1}{kept}{spare}: {names}"
    below = 1.25 + paper.write(words, left, top + 1.25, width, SMALL)
    paper.top = top + max(height, below)


def _curve(
    paper: Paper, circuit: Circuit, row: int, place: tuple[float, float, float, float]
) -> None:
    """Faithfulness over the number of units, to three times the circuit's size."""
    size, values = int(circuit.sizes[row]), circuit.curve[row].tolist()
    shown = values[: max(12, 3 * size) + 1]
    axes = paper.chart(*place)
    axes.plot(range(len(shown)), shown, color=BLUE, linewidth=1.4)
    axes.axhline(1, color=GREY, linewidth=0.7)
    axes.axvline(size, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
    axes.set_xlim(0, len(shown) - 1)
    axes.set_yticks([0, circuit.keep, 1], ["0", "", "1"])
    axes.set_ylim(min(0, *shown) - 0.03, max(1, *shown) + 0.03)
