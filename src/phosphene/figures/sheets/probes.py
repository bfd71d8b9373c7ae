"""What probes made, as one figure each: films, readings of drawings, restarts, imagined classes."""

import math
from collections.abc import Sequence

from PIL import Image

from phosphene.figures.ink.layout import SMALL, bars, filling, gallery, magnitude, ruler, titled
from phosphene.figures.ink.palette import on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.sheets.study import COLUMNS, GAP, WIDTH
from phosphene.probes import Film, Imagined, Restarts, StrokeScores
from phosphene.results import sheet
from phosphene.words import NO_BREAK, class_name, number, percent, plural


@sheet.register
def film_sheet(
    film: Film,
    classes: Sequence[str] | None = None,
    which: Sequence[int] | None = None,
    every: int | None = None,
) -> Image.Image:
    """A strip for each picture of a film: its frames, and at the end all that was added to it.

    `which` picks pictures by their place in the batch (all of them by default). Every `every`-th
    frame is shown and the last one; by default as many as stand in one row. Differences are
    signed, in one range for the whole sheet. `classes` are names to use in place of the film's.

    Raises:
        IndexError: the film has no such picture.
    """
    names = film.classes if classes is None else classes
    chosen = list(range(len(film.targets))) if which is None else list(which)
    changes = [film.difference[i].numpy() for i in chosen]
    limit = magnitude(changes)
    last = len(film.frames) - 1
    each = max(1, every or math.ceil(last / (COLUMNS - 2)))
    steps = [*range(0, last, each), last]
    side = filling(1 + len(steps), WIDTH - 2 * MARGIN)
    paper = titled(
        f"{plural(len(chosen), 'picture')} led to a class",
        f"{plural(last, 'step')} up {_raised(film)}. Under each frame: its step and the "
        "probability of the target. The last of a strip is all that was added to the first.",
    )
    paper.top += 0.1
    ruler(paper, limit, "was added to a pixel, of a range from 0 to 1", film.frames.shape[2])
    for i, change in zip(chosen, changes, strict=True):
        target = class_name(names, film.targets[i])
        _heading(paper, film, names, i)
        frames = [
            (
                picture_to_image(film.frames[step, i].numpy()),
                f"step {step}: p({target}) {percent(float(film.towards[step, i]))}",
            )
            for step in steps
        ]
        words = f"added: L2 {number(float(film.l2[-1, i]))}, L∞ {number(float(film.linf[-1, i]))}"
        gallery(paper, [*frames, (on_paper(signed_to_rgba(change, limit)), words)], side)
    return paper.image()


def _raised(film: Film) -> str:
    """The objective of one picture, its class called the target."""
    words = str(film.objective if film.objective.batch is None else film.objective.take([0]))
    return words.replace(f"({film.targets[0]})", "(target)", 1)


def _heading(paper: Paper, film: Film, names: Sequence[str], i: int) -> None:
    """Where a picture comes from and goes to, and how far it was when it had been convinced."""
    first, last = (int(film.probabilities[at, i].argmax()) for at in (0, -1))
    target = class_name(names, film.targets[i])
    twice = film.targets.count(film.targets[i]) > 1
    paper.heading(f"To {target}, picture {i}" if twice else f"To {target}")
    words = f"Read as {class_name(names, first)} at first, as {class_name(names, last)} at the end."
    reached = film.reached(0.9)[i]
    if reached is None:
        best = film.best[i]
        words += f" p({target}) never reached 0.9; at best {percent(best.probability)}"
        words += f" in step {best.step}."
    else:
        words += (
            f" p({target}) ≥ 0.9 from step {reached.step}, "
            f"at L2 {number(reached.l2)}, L∞ {number(reached.linf)}."
        )
    paper.top += paper.write(words, color=SOFT) + 0.08


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


@sheet.register
def restarts_sheet(restarts: Restarts) -> Image.Image:
    """The clear pictures of one unit in their groups, strongest first, each with its figures."""
    clear = restarts.clear()
    groups = int(restarts.clusters.max()) + 1
    paper = titled(str(restarts.unit), restarts.summary)
    for group in range(groups):
        members = (restarts.clusters == group).nonzero().flatten().tolist()
        shown = [i for i in members if clear[i]]
        paper.heading(
            f"Group {group}: {plural(len(members), 'picture')}, {len(shown) or 'none'} clear"
        )
        gallery(
            paper,
            [
                (picture_to_image(restarts.pictures[i].numpy()), _figures(restarts, i))
                for i in shown
            ],
        )
    return paper.image()


def _figures(restarts: Restarts, i: int) -> str:
    words = f"activation {number(float(restarts.activations[i]))}"
    if restarts.distances is None:
        return words
    return f"{words}, distance {number(float(restarts.distances[i]))}"


@sheet.register
def imagined_sheet(imagined: Imagined, classes: Sequence[str] | None = None) -> Image.Image:
    """The pictures of each class under its name, each with its probability of that class.

    Beside the name: how many of them are read as the class by the network, and by their real
    neighbours where those are known. `classes` are names to use in place of the network's.
    """
    names = imagined.classes if classes is None else classes
    paper = titled("Imagined classes", imagined.summary)
    for target in sorted(set(imagined.targets)):
        members = [i for i, other in enumerate(imagined.targets) if other == target]
        paper.heading(f"{class_name(names, target)}: {_readings(imagined, members)}")
        gallery(
            paper,
            [
                (picture_to_image(imagined.pictures[i].numpy()), _trust(imagined, i))
                for i in members
            ],
        )
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
