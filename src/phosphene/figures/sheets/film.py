"""Pictures led to a class, as strips of frames."""

import math
from collections.abc import Sequence

from PIL import Image

from phosphene.figures.ink.compositions import captioned, mapped
from phosphene.figures.ink.layout import COLUMNS, WIDTH, filling, gallery, titled
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.ink.scales import magnitude, ruler
from phosphene.probes import Film
from phosphene.probes.film import CONVINCED
from phosphene.results import sheet
from phosphene.words import NO_BREAK, class_name, number, percent, plural, short_of


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
    changes = film.difference[chosen]
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
            captioned(
                film.frames[step, i],
                f"step {step}: p({target}) {percent(float(film.towards[step, i]))}",
            )
            for step in steps
        ]
        far = number(float(film.l2[-1, i])), number(float(film.linf[-1, i]))
        words = f"added: L2{NO_BREAK}{far[0]}, L∞{NO_BREAK}{far[1]}"
        gallery(paper, [*frames, mapped(change, words, limit)], side)
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
    reached = film.reached(CONVINCED)[i]
    if reached is None:
        best = film.best[i]
        words += f" p({target}) never reached {CONVINCED}; at best "
        words += f"{short_of(CONVINCED, best.probability)}"
        words += f" in step {best.step}."
    else:
        words += (
            f" p({target}) ≥ {CONVINCED} from step {reached.step}, "
            f"at L2 {number(reached.l2)}, L∞ {number(reached.linf)}."
        )
    paper.top += paper.write(words, color=SOFT) + 0.08
