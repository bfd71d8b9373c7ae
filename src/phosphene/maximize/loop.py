"""The one optimisation loop: a generator of steps.

Progress bars, frames of a film, early stopping and tests are consumers of the same loop.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.canvas.live import Canvas
from phosphene.errors import NetworkError, ObjectiveError
from phosphene.maximize.optimizers import Optimizer
from phosphene.network import PLAIN, Network, Rule, backward_rule, frozen
from phosphene.objectives import Term
from phosphene.precisions import Precision
from phosphene.streams import Streams
from phosphene.transforms import Transform


@dataclass(frozen=True)
class Step:
    """One moment of an ascent, before its update.

    `scores` are those of the transformed pictures the network saw, and `gradient` how they change
    with each value of `pictures`: the ascent passes through it on its way to the canvas. `waited`
    counts, for each image, the steps since its score last rose above its best so far. Once an
    image has `stopped` its picture no longer changes.
    """

    index: int
    pictures: Float[Tensor, "b c h w"]
    scores: Float[Tensor, "b"]
    gradient: Float[Tensor, "b c h w"]
    waited: Int[Tensor, "b"]
    stopped: Bool[Tensor, "b"]


Stop = Callable[[Step], Tensor]
"""Says for each image of a step whether it may stop: `(b,)` booleans."""


@dataclass(frozen=True)
class Above:
    """Stop an image once its score has reached a threshold."""

    threshold: float

    def __call__(self, step: Step) -> Bool[Tensor, "b"]:
        """Whether each score has reached the threshold."""
        return step.scores >= self.threshold


@dataclass(frozen=True)
class Plateau:
    """Stop an image once its score has not risen for `patience` steps."""

    patience: int

    def __call__(self, step: Step) -> Bool[Tensor, "b"]:
        """Whether each score has waited long enough."""
        return step.waited >= self.patience


def ascend(
    network: Network,
    objective: Term,
    canvas: Canvas,
    streams: Streams,
    *,
    steps: int,
    optimizer: Optimizer,
    transform: Transform | None = None,
    stop: Stop | None = None,
    rule: Rule = PLAIN,
    precision: Precision = "float32",
) -> Iterator[Step]:
    """Change the pictures of `canvas` so that each one's score rises; yields steps + 1 times.

    Step 0 shows the start and the last step the result. `transform` changes what the network
    sees, anew at each step, with numbers from `streams`; `rule` is the backward rule. The network
    is computed in `precision`, all else in float32.

    Raises:
        NetworkError: a score became NaN, or the network cannot be computed in `precision`.
        SettingError: `precision` is none, or none of the device.
        ObjectiveError: the objective is made for another number of images, or does not depend on
            them.

    *Source:* Erhan et al. 2009, "Visualizing Higher-Layer Features of a Deep Network".
    """
    images = len(streams)
    if objective.batch not in (None, images):
        raise ObjectiveError(
            f"{objective} is for {objective.batch} images; the canvas has {images}"
        )
    lowered = network.lowered(precision)
    optim = optimizer.bind(canvas.parameters, canvas.learning_rate)
    stopped = torch.zeros(images, dtype=torch.bool)
    waited = torch.zeros(images, dtype=torch.long)
    best = torch.full((images,), -torch.inf)
    for index in range(steps + 1):
        with torch.enable_grad(), frozen(network.module):
            pictures = canvas()
            seen = pictures if transform is None else transform(pictures, streams)
            with backward_rule(rule):
                recording = network.record(seen, objective.layers, lowered=lowered)
            scores = objective(recording)
            _check(scores, index, objective)
            # Before the step is shown: whoever looks at it finds the module as it was.
            wanted = (*canvas.parameters, pictures)
            *gradients, descent = _slopes(scores, wanted, objective)
        shown = scores.detach().cpu()
        waited = torch.where(shown > best, 0, waited + 1)
        best = torch.maximum(best, shown)
        step = Step(index, pictures.detach(), shown, -descent, waited, stopped)
        if stop is not None:
            stopped = stopped | stop(step)
        yield step
        if index == steps or bool(stopped.all()):
            return
        _update(canvas, optim, gradients, stopped)


def _check(scores: Float[Tensor, "b"], index: int, objective: Term) -> None:
    if not scores.requires_grad:
        raise ObjectiveError(
            f"the score of {objective} does not depend on the pictures; "
            "the network detaches the values of this layer from its input"
        )
    bad = scores.isnan().nonzero()
    if len(bad):
        raise NetworkError(
            f"the score of image {int(bad[0])} became NaN at step {index} of {objective}"
        )


def _slopes(
    scores: Float[Tensor, "b"], wanted: Sequence[Tensor], objective: Term
) -> tuple[Tensor, ...]:
    """How the scores' sum falls with each of what they are made of."""
    slopes = torch.autograd.grad(-scores.sum(), wanted, allow_unused=True)
    if any(slope is None for slope in slopes):
        raise ObjectiveError(
            f"the score of {objective} does not follow the pictures; the network detaches the "
            "values of this layer from its input, as a quantised layer does"
        )
    return slopes


def _update(
    canvas: Canvas,
    optim: torch.optim.Optimizer,
    gradients: Sequence[Tensor],
    stopped: Bool[Tensor, "b"],
) -> None:
    parameters = canvas.parameters
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = _laid_as(p, g)
    held = stopped if stopped.any() else None
    before = [] if held is None else [p.detach()[held] for p in parameters]
    optim.step()
    canvas.project_()
    with torch.no_grad():
        for p, kept in zip(parameters, before, strict=held is not None):
            p[held] = kept  # momentum would carry a stopped image on


def _laid_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the parameter's order in memory, as a fused step takes it to be."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
