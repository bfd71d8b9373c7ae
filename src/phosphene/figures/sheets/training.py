"""How a training went: accuracy on its own batches and on pictures held out, by step."""

from collections.abc import Sequence

from PIL import Image

from phosphene.errors import InputError
from phosphene.figures.ink.layout import BLUE, GREY, RED, titled
from phosphene.figures.ink.paper import LINE, MARGIN
from phosphene.training import TrainingStep
from phosphene.words import number, percent, plural


def training_sheet(steps: Sequence[TrainingStep], title: str = "Training") -> Image.Image:
    """Accuracy by step: grey points are single batches, red points the pictures held out.

    The blue line is the mean of ten neighbouring points. `steps` need not be all steps.

    Raises:
        InputError: no steps.
    """
    if not steps:
        raise InputError("a training of no steps was to be shown; expected at least one")
    validated = [(step.index, step.validation) for step in steps if step.validation is not None]
    last = steps[-1]
    words = (
        f"{plural(last.index, 'step')}, of which {len(steps):,} are shown. "
        "Grey: the batch of the step. Blue: the mean of ten of them."
    )
    if validated:
        words += f" Red: pictures held out, {percent(validated[-1][1])} at the end."
    paper = titled(title, words)
    paper.top += 0.2
    axes = paper.chart(MARGIN + 0.5, paper.top, paper.width - 2 * MARGIN - 0.5, 2.2)
    places, values = [step.index for step in steps], [step.accuracy for step in steps]
    axes.scatter(places, values, s=8, color=GREY)
    mean = [
        sum(part) / len(part)
        for part in (values[max(0, i - 5) : i + 5] for i in range(len(values)))
    ]
    axes.plot(places, mean, color=BLUE, linewidth=1.6)
    if validated:
        axes.scatter(
            [i for i, _ in validated], [v for _, v in validated], s=16, color=RED, zorder=3
        )
    axes.yaxis.set_major_formatter(lambda share, _: percent(share))
    axes.set_xticks([places[0], places[-1]], [number(places[0]), f"{places[-1]:,}"])
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    paper.top += 2.5
    return paper.image()
