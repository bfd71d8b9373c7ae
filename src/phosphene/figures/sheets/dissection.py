"""Which units became detectors, and of what, as one figure."""

from PIL import Image

from phosphene.figures.ink.layout import SMALL, WIDTH, bars, titled
from phosphene.figures.ink.paper import MARGIN, SOFT
from phosphene.probes import Dissection
from phosphene.results import sheet
from phosphene.words import class_name, number

MOST = 40
"""The most labels, and the most detectors, that are told one by one."""


@sheet.register
def dissection_sheet(found: Dissection) -> Image.Image:
    """How many units detect each label, and the surest detectors with their scores."""
    paper = titled(f"{found.layer} · detectors", found.summary)
    counts: dict[int, int] = {}
    for label in found.detectors.values():
        counts[label] = counts.get(label, 0) + 1
    paper.heading("Units that detect each label")
    most = sorted(counts, key=lambda label: -counts[label])[:MOST]
    scale = (0.0, float(max(counts.values(), default=1)))
    top, half = paper.top, (WIDTH - 2 * MARGIN - 0.4) / 2
    items = [(class_name(found.labels, la), float(counts[la]), str(counts[la])) for la in most]
    cut = -(-len(items) // 2)
    ends = [
        bars(paper, part, left=MARGIN + i * (half + 0.4), width=half, names=1.3, scale=scale)
        for i, part in enumerate((items[:cut], items[cut:]))
        if part
    ]
    paper.top = max(ends, default=top)
    if not counts:
        paper.top += paper.write("None does.", color=SOFT)
    undetected = [n for i, n in enumerate(found.labels) if i not in counts]
    if undetected and len(undetected) <= MOST:
        words = f"Detected by none: {', '.join(undetected)}."
        paper.top += 0.08 + paper.write(words, top=paper.top + 0.08, size=SMALL, color=SOFT)
    paper.heading("The surest units, whatever they score")
    values, labels = found.best
    order = values.argsort(descending=True, stable=True).tolist()[:MOST]
    items = [
        (
            f"{unit}: {class_name(found.labels, int(labels[unit]))}",
            float(values[unit]),
            number(float(values[unit])),
        )
        for unit in order
    ]
    low, high = number(float(found.chance.min())), number(float(found.chance.max()))
    words = f"Unit, label, and {found.measure}; by chance it would be {low} to {high}."
    paper.top += paper.write(words, size=SMALL, color=SOFT) + 0.06
    cut = -(-len(items) // 2)
    ends = [
        bars(paper, part, left=MARGIN + i * (half + 0.4), width=half, names=1.3)
        for i, part in enumerate((items[:cut], items[cut:]))
        if part
    ]
    paper.top = max(ends, default=paper.top)
    return paper.image()
