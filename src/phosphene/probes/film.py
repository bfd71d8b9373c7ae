"""The film of pictures on their way to classes: what fooling and morphing both come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Pixels
from phosphene.maximize import Optimizer, Step, ascend
from phosphene.network import Network
from phosphene.objectives import Term
from phosphene.progress import tell
from phosphene.results import Result
from phosphene.streams import Streams
from phosphene.words import class_name, number, plural, short_of

THRESHOLDS = (0.5, 0.9, 0.99)
"""The probabilities whose first crossing is reported."""

CONVINCED = THRESHOLDS[-1]
"""The probability from which on a network counts as convinced."""

FALLEN = THRESHOLDS[1]
"""A picture that convinced and ends below this has gone too far."""

MOST = 100
"""After so many steps a picture that is led until it convinces is given up."""


@dataclass(frozen=True)
class Reached:
    """The first frame that reached a probability, and how far it is from the start.

    `l2` is the Euclidean distance over all pixels, `linf` the largest change of one pixel.
    """

    step: int
    probability: float
    l2: float
    linf: float


@dataclass(frozen=True, eq=False)
class Film(Result):
    """Every frame of b pictures on their way to b target classes; frame 0 is the start.

    Pictures are in [0, 1], so a step that would lead out of it is cut there. `probabilities` are
    those of all classes in each frame.
    """

    targets: tuple[int, ...]
    classes: tuple[str, ...]
    objective: Term
    optimizer: Optimizer
    frames: Float[Tensor, "frames b c h w"]
    probabilities: Float[Tensor, "frames b classes"]

    @property
    def pictures(self) -> Float[Tensor, "b c h w"]:
        """The last frame."""
        return self.frames[-1]

    @property
    def difference(self) -> Float[Tensor, "b c h w"]:
        """What was added to the start to come to the last frame, signed, in [-1, 1]."""
        return self.frames[-1] - self.frames[0]

    @property
    def towards(self) -> Float[Tensor, "frames b"]:
        """The probability of each picture's target."""
        return self.probabilities[:, range(len(self.targets)), list(self.targets)]

    @cached_property
    def l2(self) -> Float[Tensor, "frames b"]:
        """The Euclidean distance of each frame from the start, over all pixels."""
        distances: Tensor = (self.frames - self.frames[0]).flatten(2).norm(dim=2)
        return distances

    @cached_property
    def linf(self) -> Float[Tensor, "frames b"]:
        """The largest change of a single pixel since the start."""
        return (self.frames - self.frames[0]).flatten(2).abs().amax(2)

    def reached(self, threshold: float) -> list[Reached | None]:
        """For each picture, the first frame whose target has probability >= `threshold`, or None.

        The start counts: a picture that is convincing already has reached it at step 0.
        """
        found: list[Reached | None] = []
        for i, reaches in enumerate((self.towards >= threshold).T):
            at = int(reaches.int().argmax())  # the first of the largest
            values = (float(a[at, i]) for a in (self.towards, self.l2, self.linf))
            found.append(Reached(at, *values) if reaches.any() else None)
        return found

    def first(self, threshold: float) -> tuple[Float[Tensor, "k c h w"], tuple[int, ...]]:
        """The frames in which the k pictures that got there reached `threshold`; their targets.

        The farther pictures go, the more networks they convince: compare them where the network
        they were made for has become equally certain.
        """
        images = [i for i, found in enumerate(self.reached(threshold)) if found]
        steps = [found.step for found in self.reached(threshold) if found]
        return self.frames[steps, images], tuple(self.targets[i] for i in images)

    @property
    def best(self) -> list[Reached]:
        """For each picture, the first of the frames in which its target is likeliest."""
        steps = self.towards.argmax(0).tolist()
        values = (self.towards, self.l2, self.linf)
        return [Reached(at, *(float(a[at, i]) for a in values)) for i, at in enumerate(steps)]

    @property
    def summary(self) -> str:
        """How many pictures convince, in how many steps and how far; the least convincing."""
        count, steps = len(self.targets), len(self.frames) - 1
        there = [found for found in self.reached(CONVINCED) if found]
        told = f"{plural(count, 'picture')}, {plural(steps, 'step')}: "
        if count == 1 and not there:
            told += f"it does not convince the network (p ≥ {CONVINCED})"
        else:
            told += f"{len(there) or 'none'} of them" if len(there) < count else _all(count)
            told += f" convince{'s' if len(there) == 1 else ''} the network (p ≥ {CONVINCED})"
        if there:
            step = plural(sorted(found.step for found in there)[len(there) // 2], "step")
            far = number(sorted(found.l2 for found in there)[len(there) // 2])
            told += (
                f", after {step}, at a distance (L2) of {far}"
                if len(there) == 1
                else f", half of these within {step} and half within a distance (L2) of {far}"
            )
        return " ".join([f"{told}.", *self._fallen(), *self._unconvincing()])

    def _fallen(self) -> list[str]:
        """That pictures which convinced do so no more in the last frame, if they don't."""
        last = self.towards[-1].tolist()
        fallen = [p for p, r in zip(last, self.reached(CONVINCED), strict=True) if r and p < FALLEN]
        if not fallen:
            return []
        words = plural(len(fallen), "of these goes too far and ends", "of these go too far and end")
        return [f"{words} lower, at {short_of(FALLEN, min(fallen))} at least."]

    def _unconvincing(self) -> list[str]:
        """What the best frame comes to of the picture that convinces least."""
        found, target = min(
            zip(self.best, self.targets, strict=True), key=lambda pair: pair[0].probability
        )
        if found.probability >= CONVINCED:
            return []
        name = class_name(self.classes, target)
        best = short_of(CONVINCED, found.probability)
        return [f"The least convincing, to {name}, comes to {best} at best, in step {found.step}."]

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values for JSON; lists over frames hold one row per frame."""
        return {
            "targets": [self.classes[target] for target in self.targets],
            "objective": self.objective.to_json(),
            "optimizer": self.optimizer.to_json(),
            "probabilities": self.probabilities.tolist(),
            "l2": self.l2.tolist(),
            "linf": self.linf.tolist(),
            "reached": {
                str(threshold): [r and vars(r) for r in self.reached(threshold)]
                for threshold in THRESHOLDS
            },
        }


def shoot(
    network: Network,
    starts: Float[Tensor, "b c h w"],
    targets: Sequence[int],
    objective: Term,
    *,
    optimizer: Optimizer,
    steps: int | None,
) -> Film:
    """The film of `steps` steps of `optimizer` on the pixels of `starts`, all in one batch.

    Where `steps` is None each picture is led until its target has p >= .99, at most 100 steps; it
    then stays as it is while the others go on.

    Raises:
        InputError, ChannelError, SizeError: starts outside [0, 1], or that do not fit the network
            or the number of targets.
        ObjectiveError: the network has no such class.
    """
    network.input.check_shape(starts)
    network.input.check_values(starts)
    # Nothing is drawn at random here; the streams say how many pictures there are.
    streams = Streams.seeded(0, targets)
    canvas = Pixels().build(
        streams, network.input.shape, pictures=starts.clamp(0, 1), device=network.device
    )
    frames: list[Tensor] = []
    probabilities: list[Tensor] = []
    most = MOST if steps is None else steps

    def stop(step: Step) -> Tensor:
        tell(len(frames), most)
        frames.append(step.pictures.cpu())
        probabilities.append(network.probabilities(step.pictures).cpu())
        towards = probabilities[-1][range(len(targets)), list(targets)]
        return (towards >= CONVINCED) & (steps is None)

    for _ in ascend(
        network, objective, canvas, streams, steps=most, optimizer=optimizer, stop=stop
    ):
        pass
    return Film(
        tuple(targets),
        network.classes,
        objective,
        optimizer,
        torch.stack(frames),
        torch.stack(probabilities),
    )


def _all(count: int) -> str:
    return "it" if count == 1 else "both" if count == 2 else f"all {count:,}"
