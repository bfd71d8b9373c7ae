"""What sleeps, and when it has been woken.

Where rectifiers are closed a score has no gradient, and an ascent stays where it is. Gradients that
pass straight through them (the rule `STRAIGHT`) lead out of there. But they are no slope of the
score, and whoever follows them all the way ends where it is small: so they are followed until it
wakes, and from there its own gradient is.
"""

from collections.abc import Iterable

from jaxtyping import Bool
from torch import Tensor

from phosphene.maximize.loop import Step

LOOKS = 8
"""Moves of a start without any slope after which a score is said to sleep there."""


def asleep(steps: Iterable[Step]) -> Bool[Tensor, "b"]:
    """Which pictures have had no slope in the first steps of an ascent, `LOOKS` at most.

    Without one a picture stays as it is, and each step is one more look at it, moved otherwise.
    """
    still: Tensor | None = None
    for step in steps:
        flat = ~step.gradient.flatten(1).any(1).cpu()
        still = flat if still is None else still & flat
        if step.index + 1 == LOOKS or not still.any():
            break
    assert still is not None, "an ascent shows at least its start"
    return still


def rose(step: Step) -> Bool[Tensor, "b"]:
    """Whether each score is above all before it: a `Stop` for an ascent that is to wake it.

    A score that nothing moves rises as soon as a rectifier opens.
    """
    return (step.waited == 0) & (step.index > 0)
