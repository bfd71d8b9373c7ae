"""Classes as a network imagines them, and how far they can be trusted."""

from collections.abc import Sequence

from PIL import Image

from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import COLUMNS, WIDTH, breadth, gallery, titled
from phosphene.probes import Imagined
from phosphene.results import sheet
from phosphene.words import NO_BREAK, class_name, number, percent


@sheet.register
def imagined_sheet(imagined: Imagined, classes: Sequence[str] | None = None) -> Image.Image:
    """The pictures of each class under its name, each with its probability of that class.

    Beside the name: how many of them are read as the class by the network, and by their real
    neighbours where those are known. `classes` are names to use in place of the network's.
    """
    names = imagined.classes if classes is None else classes
    most = max(map(imagined.targets.count, imagined.targets))
    width = max(breadth(min(most, COLUMNS)), 0.55 * WIDTH)
    paper = titled("Imagined classes", imagined.summary, width)
    for target in sorted(set(imagined.targets)):
        members = [i for i, other in enumerate(imagined.targets) if other == target]
        paper.heading(f"{class_name(names, target)}: {_readings(imagined, members)}")
        gallery(paper, [captioned(imagined.pictures[i], _trust(imagined, i)) for i in members])
    return paper.image()


def _readings(imagined: Imagined, members: Sequence[int]) -> str:
    words = f"read as meant {int(imagined.read[members].sum())} of {len(members)}"
    if imagined.voted is None:
        return words
    return f"{words}, by real neighbours {int(imagined.voted[members].sum())}"


def _trust(imagined: Imagined, i: int) -> str:
    words = f"p {percent(float(imagined.towards[i]))}"
    if imagined.closeness is None:
        return words
    return f"{words}, distance{NO_BREAK}{number(float(imagined.closeness.ratios[i]))}×"
