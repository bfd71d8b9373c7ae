"""What drawings are read as: plain strokes, or one of one's own."""

from PIL import Image

from phosphene.figures.ink.bars import bars, room
from phosphene.figures.ink.layout import GAP, SIDE, SMALL, WIDTH, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN
from phosphene.probes import DrawingScores, StrokeScores
from phosphene.results import sheet
from phosphene.words import class_name, percent


@sheet.register
def strokes_sheet(scores: StrokeScores, most: int = 3) -> Image.Image:
    """Each drawing with the `most` likeliest classes as bars, and their probabilities."""
    best, order = scores.probabilities.sort(dim=1, descending=True, stable=True)
    told = [class_name(scores.classes, c) for c in order[:, :most].unique().tolist()]
    columns = min(3 if max(map(len, told)) <= 12 else 2, len(scores.names))
    width = (WIDTH - 2 * MARGIN + 2 * GAP) / columns
    paper = titled(
        "What drawings are read as",
        "Each drawing with its likeliest classes and their probabilities. Strokes fill about as "
        "much of the picture as MNIST's digits do.",
    )
    names = min(max(0.4, room(told)), 1.9)
    for start in range(0, len(scores.names), columns):
        paper.top += 0.15
        lowest = paper.top
        for column in range(min(columns, len(scores.names) - start)):
            i, left = start + column, MARGIN + column * width
            top = paper.top
            below = top + paper.picture(
                picture_to_image(scores.pictures[i].numpy()), left, top, SIDE
            )
            right, wide = left + SIDE + 0.15, width - SIDE - 0.15 - 2 * GAP
            paper.top += paper.write(scores.names[i], right, top, wide + GAP, SMALL, weight="bold")
            items = [
                (class_name(scores.classes, c), p, percent(p))
                for p, c in zip(best[i, :most].tolist(), order[i, :most].tolist(), strict=True)
            ]
            ends = bars(paper, items, left=right, width=wide, names=names)
            lowest, paper.top = max(lowest, below, ends), top
        paper.top = lowest
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
    paper.top = max(below, bars(paper, items, left=left, width=WIDTH - MARGIN - left))
    return paper.image()
