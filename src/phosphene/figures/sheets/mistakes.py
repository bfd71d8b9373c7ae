"""Pictures that are misread."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import SMALL, gallery, titled
from phosphene.figures.ink.paper import SOFT
from phosphene.probes import Misread
from phosphene.results import sheet
from phosphene.words import article, class_name, percent


@sheet.register
def misread_sheet(found: Misread, most: int = 72) -> Image.Image:
    """The `most` surest of the mistakes that are kept, each with both classes and their chances."""
    paper = titled("Misread pictures", f"{found.summary} The surest come first.")
    paper.top += 0.15
    sure = found.probabilities[: len(found.pictures)].amax(1)
    best = sure.argsort(descending=True, stable=True)[:most]
    rows = zip(
        found.pictures[best],
        found.images[best].tolist(),
        found.labels[best].tolist(),
        found.predicted[best].tolist(),
        found.probabilities[best].tolist(),
        strict=True,
    )
    gallery(
        paper,
        [
            captioned(
                picture,
                f"no. {image}: {article(class_name(found.classes, label))} "
                f"({percent(scores[label])}) "
                f"read as {class_name(found.classes, read)} ({percent(scores[read])})",
            )
            for picture, image, label, read, scores in rows
        ],
    )
    left_out = len(found.images) - min(most, len(found.pictures))
    if left_out:
        paper.top += paper.write(f"{left_out:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()
