"""The kernels below a unit that are kept: what share of each layer's."""

from PIL import Image

from phosphene.circuits import KernelCircuit
from phosphene.figures.ink.bar_charts import Bar, bars
from phosphene.figures.ink.layout import titled
from phosphene.figures.ink.paper import MARGIN
from phosphene.results import sheet
from phosphene.words import percent, plural


@sheet.register
def kernel_circuit_sheet(circuit: KernelCircuit) -> Image.Image:
    """A bar for each layer with weights: the share of its kernels that the unit's map needs."""
    how = f"learnt in {plural(circuit.steps, 'step')}" if circuit.steps else "chosen by their score"
    words = (
        f"{plural(circuit.count, 'kernel')} of {circuit.below:,} that make a difference to the "
        f"unit, {how}: what share of each layer's is kept."
    )
    paper = titled(f"The kernels of {circuit.unit}", words)
    paper.top += 0.15
    items: list[Bar] = []
    for path, kept in circuit.kept.items():
        count, below = int(kept.sum()), int((circuit.scores[path] > 0).sum())
        share = count / max(1, below)
        items.append((path, share, f"{percent(share)}, {count:,} of {below:,}"))
    paper.top = bars(paper, items, left=MARGIN, width=paper.width - 2 * MARGIN)
    return paper.image()
