"""Fooling: from noise, or black, or any picture, to a class the network is certain of."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import InputError, nearest
from phosphene.maximize import Optimizer
from phosphene.network import Network
from phosphene.objectives import Logit, LogProbability, Probability, Term
from phosphene.probes import options
from phosphene.probes.film import CONVINCED, MOST, Film, shoot
from phosphene.probes.question import CHANGE, Question
from phosphene.probes.subject import Subject
from phosphene.progress import telling
from phosphene.spellings import Classes, Model, Shown, classes_of, network_of, pictures_of
from phosphene.streams import Streams

Aim = Callable[[tuple[int, ...]], Term]
"""Gives the objective for target i of picture i: `Probability`, `Logit`, `against(10)`, …"""

STARTS = ("noise", "grey", "black")


def against(classes: int) -> Aim:
    """Aim for the target and against all classes: score = K log p[t] - sum_c log p[c], K classes.

    *Source:* article 5, "Do you know which inputs your neural network likes most?", whose weight
    for ten classes is 10. With K in its place the score is K z[t] - sum_c z[c] in logits z for any
    number of classes, so it never saturates.

    >>> print(against(2)((1,)))
    2.0 * log p(1) - log p(0) - log p(1)
    """

    def aim(targets: tuple[int, ...]) -> Term:
        others = (-LogProbability(c) for c in range(classes))
        return sum(others, start=float(classes) * LogProbability(targets))

    return aim


@telling("fooling")
def fool(
    network: Model,
    targets: Classes | None = None,
    start: Shown = "noise",
    *,
    aim: Aim = LogProbability,
    optimizer: Optimizer | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> Film:
    """Lead one picture to each of `targets` (all classes by default), in one batch.

    `targets` are classes by name or number. `start` is "noise" (uniform in [0, 1], of its own for
    each target), "grey", "black", or pictures, one for all targets or one for each. Without `steps`
    each is led until the network is convinced, p >= .99, for at most 100 steps; the film's `best`
    and `summary` say what came of it.

    The default follows article 2: from noise by steps x ← x + rate · g / (std(g) + 1e-8), with
    three deviations. Every frame is cut to [0, 1], so a rate of 0.2 stands for its 1, which would
    make all pixels black or white and overshoot. That is for 28x28 pixels; in larger pictures a
    step goes equally far in L2, that is the rate is smaller (`usual_rate`). And g is the gradient
    of log p[t]: p[t]'s own direction, as ∇ log p = ∇p / p, but one that does not vanish against
    1e-8 where p[t] is tiny; with `Probability` as `aim` it is the article's.
    Article 5's pictures are those of
    `fool(network, start="black", aim=against(10), optimizer=Optimizer("Adam", 0.1), steps=50)`,
    where the rate is ours, as it names none.

    Raises:
        InputError, ChannelError, SizeError: starts that are none, outside [0, 1], or do not fit.
        ObjectiveError: the network has no such class.

    *Source:* Bruner, "Interpretability of neural networks"; Szegedy et al. 2013, arXiv 1312.6199;
    Nguyen et al. 2014, arXiv 1412.1897.

    >>> from torch import nn
    >>> from phosphene import Input
    >>> network = Network(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), Input(1, (8, 8)))
    >>> film = fool(network, steps=5)
    >>> film.frames.shape, film.probabilities.shape
    (torch.Size([6, 3, 1, 8, 8]), torch.Size([6, 3, 3]))
    """
    network = network_of(network)
    chosen = classes_of(network, targets)
    pictures = _start(network, chosen, start, seed)
    if optimizer is None:
        optimizer = Optimizer("NormalizedGradient", usual_rate(network))
    return shoot(
        network,
        pictures,
        chosen,
        aim(chosen),
        optimizer=optimizer,
        steps=steps,
    )


def usual_rate(network: Network) -> float:
    """How far a step goes: 0.2 for 28x28 pixels or fewer, and equally far in L2 for more.

    A step changes each of n values by the rate, in the mean of squares, so it is rate · sqrt(n)
    long.

    >>> from torch import nn
    >>> from phosphene import Input
    >>> [usual_rate(Network(nn.Flatten(), Input(1, (side, side)))) for side in (28, 56)]
    [0.2, 0.1]
    """
    return 0.2 * min(1.0, 28 / sqrt(prod(network.input.shape)))


def _start(
    network: Network, targets: tuple[int, ...], start: Shown, seed: int
) -> Float[Tensor, "b c h w"]:
    if not isinstance(start, str) or (start not in STARTS and Path(start).suffix):
        return pictures_of(network, start)
    if start not in STARTS:
        raise InputError(
            f"no start is called {start!r}; {nearest(start, STARTS)}; or give pictures"
        )
    shape = (len(targets), *network.input.shape)
    if start == "noise":
        # The n-th picture for a class has the same noise in any company.
        names = [f"{t}/{targets[:i].count(t)}" for i, t in enumerate(targets)]
        return Streams.seeded(seed, names).uniform(prod(network.input.shape)).view(shape)
    return torch.full(shape, 0.5 if start == "grey" else 0.0)


AIMS: dict[str, Aim] = {"logp": LogProbability, "p": Probability, "logit": Logit}
AGAINST = "against"

MANY = 20
"""Beyond so many classes a film is made of some, unless they are named."""


@dataclass(frozen=True)
class Fooling(Question):
    """Lead noise, black or an image to each class until it convinces, and film it."""

    name, panel = "fool", CHANGE
    towards: str | None = options.towards("Only these classes, by name: 3,7. Default: all.")
    start: str = options.option(
        "image", "noise, grey, black, or an image file.", "noise", choices=STARTS
    )
    aim: str = options.option(
        "choice",
        "What to raise: logp, p, logit, or against (all other classes).",
        "logp",
        choices=(*AIMS, AGAINST),
    )
    optimizer: str = options.option(
        "text", "NormalizedGradient, Adam, …", "NormalizedGradient", key=None
    )
    rate: float | None = options.option(
        "number", "How far a step goes. Default: 0.2 at 28x28 pixels, less at more.", None, key=None
    )
    steps: int | None = options.steps(
        None, f"How many steps. Default: until p is {CONVINCED}, at most {MOST}."
    )

    def title(self, subject: Subject) -> str:
        """From where to where."""
        count, targets = len(subject.network.classes), self._targets(subject)
        told = "every class" if targets is None else f"{len(targets)} of {count:,} classes"
        return f"Fooling: from {Path(self.start).name} to {self.towards or told}"

    def key(self, subject: Subject) -> dict[str, Any]:
        """Targets, start, aim, optimiser with its rate, steps."""
        start = subject.resolved("image", self.start) if self._is_file else self.start
        by = self._optimizer(subject)
        return {
            "targets": self._targets(subject),
            "start": start,
            "aim": self.aim,
            "optimizer": [by.name, by.learning_rate],
            "steps": self.steps,
        }

    def ask(self, subject: Subject) -> Film:
        """The film."""
        network, targets = subject.network, self._targets(subject)
        if targets is not None and self.towards is None:
            subject.tell(
                f"{len(targets)} of {len(network.classes):,} classes, from all over; "
                "name others with --to"
            )
        return fool(
            network,
            targets,
            subject.picture(self.start)[0][None] if self._is_file else self.start,
            aim=against(len(network.classes)) if self.aim == AGAINST else AIMS[self.aim],
            optimizer=self._optimizer(subject),
            steps=self.steps,
            seed=subject.seed,
        )

    @property
    def _is_file(self) -> bool:
        return self.start not in STARTS and "." in self.start

    def _optimizer(self, subject: Subject) -> Optimizer:
        rate = usual_rate(subject.network) if self.rate is None else self.rate
        return Optimizer(self.optimizer, rate)

    def _targets(self, subject: Subject) -> tuple[int, ...] | None:
        """The classes named, else None for all of them, or some from all over of many."""
        count = len(subject.network.classes)
        if self.towards is not None or count <= MANY:
            return subject.classes(self.towards)
        return tuple(range(0, count, -(-count // MANY)))
