"""For each of several layers a picture that is drawn after what the layer says to a given one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.canvas import Spectrum
from phosphene.maximize import Recipe, on_screen, paint
from phosphene.network import Network
from phosphene.objectives import Term, Values
from phosphene.progress import counted
from phosphene.spellings import layers_of
from phosphene.streams import Streams


@dataclass(frozen=True, eq=False)
class Counterpart:
    """A picture with the 256 levels of a screen, the values a `layer` gives it, and its target."""

    layer: str
    picture: Float[Tensor, "c h w"]
    values: Float[Tensor, "n"]
    target: Float[Tensor, "n"]

    @property
    def error(self) -> float:
        """|values - target| / |target|."""
        return float((self.values - self.target).norm() / self.target.norm())

    @property
    def cosine(self) -> float:
        """How well both agree in direction."""
        return float(torch.cosine_similarity(self.values, self.target, dim=0))

    @property
    def length(self) -> float:
        """How much stronger the layer answers: |values| / |target|."""
        return float(self.values.norm() / self.target.norm())


def counterparts(
    network: Network,
    picture: Float[Tensor, "c h w"],
    layers: str | Sequence[str],
    objective: Callable[[str, Values], Term],
    recipe: Recipe,
    *,
    seed: int,
    spectrum: Spectrum | None,
) -> list[Counterpart]:
    """Draw for each layer the picture that `objective(layer, its values for picture)` asks for.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError, ChannelError, SizeError: no layers, or the picture does not fit.
        ObjectiveError: a layer that `objective` can make nothing of.
    """
    chosen = layers_of(network, layers)
    network.input.check_shape(picture[None])
    recording = network.record(picture[None], chosen)
    objectives = [objective(layer, Values.of(recording[layer])) for layer in chosen]
    channels, height, width = picture.shape
    found = []
    for layer, term in counted(list(zip(chosen, objectives, strict=True))):
        streams = Streams.seeded(seed, [layer])
        painted = paint(
            network, term, recipe, streams, shape=(channels, height, width), spectrum=spectrum
        )
        made = on_screen(painted)
        with torch.no_grad():
            values = network.record(made, [layer])[layer].flatten()
        found.append(Counterpart(layer, made[0].cpu(), values, recording[layer].flatten()))
    return found
