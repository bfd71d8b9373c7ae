"""What drawings of strokes are read as."""

from PIL import Image

from phosphene.figures.ink.layout import GAP, SMALL, WIDTH, bars, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN
from phosphene.probes import StrokeScores
from phosphene.results import sheet
from phosphene.words import class_name, percent


@sheet.register
def strokes_sheet(scores: StrokeScores, most: int = 3) -> Image.Image:
    """Each drawing with the `most` likeliest classes as bars, and their probabilities."""
    best, order = scores.probabilities.sort(dim=1, descending=True, stable=True)
    longest = max(len(class_name(scores.classes, c)) for c in order[:, :most].unique().tolist())
    columns = min(3 if longest <= 12 else 2, len(scores.names))
    width = (WIDTH - 2 * MARGIN + 2 * GAP) / columns
    paper = titled(
        "What drawings are read as",
        "Each drawing with its likeliest classes and their probabilities. Strokes fill about as "
        "much of the picture as MNIST's digits do.",
    )
    side, names = 0.875, min(max(0.4, 0.1 + 0.06 * longest), 1.9)  # a letter takes 0.06 inches
    for start in range(0, len(scores.names), columns):
        paper.top += 0.15
        lowest = paper.top
        for column in range(min(columns, len(scores.names) - start)):
            i, left = start + column, MARGIN + column * width
            top = paper.top
            below = top + paper.picture(
                picture_to_image(scores.pictures[i].numpy()), left, top, side
            )
            right, room = left + side + 0.15, width - side - 0.15 - 2 * GAP
            paper.top += paper.write(scores.names[i], right, top, room + GAP, SMALL, weight="bold")
            items = [
                (class_name(scores.classes, c), p, percent(p))
                for p, c in zip(best[i, :most].tolist(), order[i, :most].tolist(), strict=True)
            ]
            ends = bars(paper, items, left=right, width=room, names=names)
            lowest, paper.top = max(lowest, below, ends), top
        paper.top = lowest
    return paper.image()
