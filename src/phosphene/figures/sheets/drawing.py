"""What one drawing is read as."""

from PIL import Image

from phosphene.figures.ink.layout import WIDTH, bars, titled
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.paper import MARGIN
from phosphene.probes import DrawingScores
from phosphene.results import sheet
from phosphene.words import class_name, percent


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
