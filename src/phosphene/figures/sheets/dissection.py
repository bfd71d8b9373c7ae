"""Which units became detectors, and of what, as one figure."""

from collections import Counter

from PIL import Image

from phosphene.figures.ink.bars import bars_in_halves
from phosphene.figures.ink.layout import SMALL, titled
from phosphene.figures.ink.paper import SOFT, Paper
from phosphene.probes import Dissection
from phosphene.results import sheet
from phosphene.words import class_name, number

MOST = 40
"""The most labels, and the most detectors, that are told one by one."""


@sheet.register
def dissection_sheet(found: Dissection) -> Image.Image:
    """How many units detect each label, and the surest detectors with their scores."""
    paper = titled(f"{found.layer} · detectors", found.summary)
    _counts(paper, found)
    _surest(paper, found)
    return paper.image()


def _counts(paper: Paper, found: Dissection) -> None:
    """How many units detect each label."""
    counts = Counter(found.detectors.values())
    paper.heading("Units that detect each label")
    if counts:
        bars_in_halves(
            paper,
            [(class_name(found.labels, la), n, str(n)) for la, n in counts.most_common(MOST)],
            (0.0, max(counts.values())),
        )
    else:
        paper.top += paper.write("None does.", color=SOFT)
    undetected = [name for i, name in enumerate(found.labels) if i not in counts]
    if undetected and len(undetected) <= MOST:
        words = f"Detected by none: {', '.join(undetected)}."
        paper.top += 0.08 + paper.write(words, top=paper.top + 0.08, size=SMALL, color=SOFT)


def _surest(paper: Paper, found: Dissection) -> None:
    """The units that come nearest to a detector."""
    paper.heading("The surest units, whatever they score")
    low, high = number(float(found.chance.min())), number(float(found.chance.max()))
    words = f"Unit, label, and {found.measure}; by chance it would be {low} to {high}."
    paper.top += paper.write(words, size=SMALL, color=SOFT) + 0.06
    values, labels = found.best
    order = values.argsort(descending=True, stable=True).tolist()[:MOST]
    items = [
        (f"unit {unit}: {class_name(found.labels, label)}", value, number(value))
        for unit, label, value in zip(
            order, labels[order].tolist(), values[order].tolist(), strict=True
        )
    ]
    bars_in_halves(paper, items)
