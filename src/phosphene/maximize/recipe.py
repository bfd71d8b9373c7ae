"""How pictures are made, as a value, and the one ascent that follows it."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Chosen, Description, Spectrum
from phosphene.canvas.live import Canvas
from phosphene.errors import ObjectiveError
from phosphene.maximize.loop import Step, Stop, ascend
from phosphene.maximize.optimizers import Optimizer
from phosphene.network import PLAIN, Network, Rule
from phosphene.objectives import Term
from phosphene.precisions import Precision, precision_of
from phosphene.progress import tell, telling
from phosphene.streams import Streams
from phosphene.transforms import RandomAffine, Transform
from phosphene.values import Value

Aim = Literal["channel", "neuron"]

WIDE = RandomAffine(shift=0.15, rotate=15.0, scale=(0.7, 1.4), fill="reflection")
"""Moves of a whole picture. Things come out in one piece that must hold at any of these sizes."""


@dataclass(frozen=True)
class Recipe(Value):
    """Everything that decides how a unit is drawn, as a value.

    `aim` is "channel" (the whole map) or "neuron" (the centre position, on a picture of the size of
    its receptive field). `size` is the canvas's, (h, w) in pixels, also larger or smaller than the
    network's input where the layer allows. None is the input's, but `draw` takes less for the
    channels of an early layer: see `Network.window`. For these it takes fewer and longer steps than
    `steps` too, unless canvas or optimiser are named.

    `unusual` is what it costs to excite the layers below in a way that real pictures do not, where
    that is known (see `Usual`); 0 lets it be.

    `precision` is what the network is computed in on the way: with "bfloat16" large pictures take
    two thirds of the time on a processor that multiplies it. What a picture is told to reach is
    float32's in any case.

    What is left open is chosen from what is measured, by `chosen`: the canvas while it is
    `Chosen()`, and with it the pace, the moves while `transform` is None, the cost while `unusual`
    is. A drawing tells the recipe it was made by.
    """

    called: ClassVar[str] = "recipe"
    unsaid: ClassVar[tuple[str, ...]] = ("size", "unusual", "precision")
    aim: Aim = "channel"
    canvas: Description = Chosen()
    steps: int = 256
    optimizer: Optimizer = Optimizer()
    transform: Transform | None = None
    size: tuple[int, int] | None = None
    unusual: float | None = None
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Refuse fewer than 0 steps (0 is the start) and an empty canvas; raises `ObjectiveError`.

        A neuron's canvas is its receptive field, whatever the size. A precision that is none
        raises `SettingError`.
        """
        precision_of(self.precision)
        if self.steps < 0:
            raise ObjectiveError(f"a picture drawn in {self.steps} steps; expected 0 or more")
        if self.size is None:
            return
        if self.aim == "neuron":
            raise ObjectiveError(
                f"a canvas of {self.size} for a neuron, which is drawn on its receptive field; "
                "leave size out, or aim at a channel"
            )
        if min(self.size) < 1:
            raise ObjectiveError(f"a canvas of {self.size} pixels; height and width are at least 1")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; moves that are left open are `_OPEN`."""
        told: dict[str, Any] = super().to_json()
        return told if self.transform is not None else told | {"transform": _OPEN}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Recipe":
        """The recipe with these fields; see `Value.read`."""
        return super().read({k: v for k, v in told.items() if (k, v) != ("transform", _OPEN)})


_OPEN = {"transform": "chosen"}

STANDARD = Recipe()
"""What an atlas draws a channel by."""


def start(
    network: Network,
    recipe: Recipe,
    streams: Streams,
    *,
    shape: tuple[int, int, int] | None = None,
    spectrum: Spectrum | None = None,
    pictures: Float[Tensor, "n c h w"] | None = None,
) -> Canvas:
    """The recipe's canvas as it is before the first step, with a picture for each stream.

    `shape` is that of the `pictures` to start from, or as the recipe says, unless told otherwise.
    """
    if shape is None:
        channels, height, width = network.input.channels, *(recipe.size or network.input.size)
        if pictures is not None:
            _, channels, height, width = pictures.shape
        shape = (channels, height, width)
    return recipe.canvas.build(streams, shape, spectrum, pictures=pictures, device=network.device)


def follow(
    network: Network,
    objective: Term,
    recipe: Recipe,
    streams: Streams,
    *,
    shape: tuple[int, int, int] | None = None,
    spectrum: Spectrum | None = None,
    pictures: Float[Tensor, "n c h w"] | None = None,
    rule: Rule = PLAIN,
    stop: Stop | None = None,
) -> Iterator[Step]:
    """The steps of one ascent by `recipe`, with a picture for each stream.

    It begins at the `start` of the same arguments. Moves that the recipe leaves open are those of a
    whole picture. Raises what `ascend` and the canvas do.
    """
    steps = ascend(
        network,
        objective,
        start(network, recipe, streams, shape=shape, spectrum=spectrum, pictures=pictures),
        streams,
        steps=recipe.steps,
        optimizer=recipe.optimizer,
        transform=WIDE if recipe.transform is None else recipe.transform,
        stop=stop,
        rule=rule,
        precision=recipe.precision,
    )
    return _told(steps, recipe.steps)


def _told(steps: Iterator[Step], total: int) -> Iterator[Step]:
    with telling("drawing"):
        for step in steps:
            tell(step.index, total)
            yield step


def paint(
    network: Network,
    objective: Term,
    recipe: Recipe,
    streams: Streams,
    *,
    shape: tuple[int, int, int] | None = None,
    spectrum: Spectrum | None = None,
    pictures: Float[Tensor, "n c h w"] | None = None,
    rule: Rule = PLAIN,
    stop: Stop | None = None,
) -> Float[Tensor, "b c h w"]:
    """The pictures at the end of what `follow` does with the same arguments."""
    steps = follow(
        network,
        objective,
        recipe,
        streams,
        shape=shape,
        spectrum=spectrum,
        pictures=pictures,
        rule=rule,
        stop=stop,
    )
    return deque(steps, maxlen=1).pop().pictures


def on_screen(pictures: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Pictures with the 256 levels of a screen, so that what is told belongs to what is shown."""
    return (pictures * 255).round() / 255
