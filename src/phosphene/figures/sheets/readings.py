"""What networks read in pictures, as one figure each: mistakes, a drawing, a hidden message."""

from PIL import Image

from phosphene.figures.ink.layout import SMALL, bars, gallery, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN, SOFT
from phosphene.figures.sheets.study import WIDTH
from phosphene.probes import DrawingScores, Message, Misread
from phosphene.results import sheet
from phosphene.words import article, class_name, number, percent

TILES = 40
"""How many pictures of a message are shown."""


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
            (
                picture_to_image(picture.numpy()),
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


@sheet.register
def drawing_sheet(scores: DrawingScores, most: int = 10) -> Image.Image:
    """A drawing as the network saw it, beside the `most` likeliest classes."""
    paper = titled("What the drawing is read as", scores.summary)
    paper.top += 0.15
    top, side = paper.top, 1.75
    below = top + paper.picture(picture_to_image(scores.picture.numpy()), MARGIN, top, side)
    best, order = scores.probabilities.sort(descending=True, stable=True)
    items = [
        (class_name(scores.classes, c), p, percent(p))
        for p, c in zip(best[:most].tolist(), order[:most].tolist(), strict=True)
    ]
    left = MARGIN + side + 0.4
    paper.top = max(below, bars(paper, items, left=left, width=WIDTH - MARGIN - left, names=1.4))
    return paper.image()


@sheet.register
def message_sheet(message: Message, most: int = TILES) -> Image.Image:
    """The first `most` pictures of a message, each with the symbol it stands for."""
    paper = titled("A message in noise", message.summary)
    paper.top += 0.15
    gallery(
        paper,
        [
            (picture_to_image(picture.numpy()), f"{symbol}, p {number(sure)}")
            for picture, symbol, sure in zip(
                message.pictures[:most], message.symbols, message.confidence.tolist(), strict=False
            )
        ],
    )
    left_out = len(message.symbols) - most
    if left_out > 0:
        paper.top += paper.write(f"{left_out:,} more are not shown.", size=SMALL, color=SOFT)
    return paper.image()
