"""What if units of a layer had other values? Many variants of the same pictures at once.

To remove units is to give them their baseline, to keep some is to remove all others, to raise one
is to give it a high value of its own: each is a mask of units and a value for each unit.
"""

from collections.abc import Collection
from contextlib import suppress

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.network.edit import replace
from phosphene.network.layouts import along_units
from phosphene.network.record import Network
from phosphene.network.recorded import Recording
from phosphene.units import LOGITS

Masks = Bool[Tensor, "variants units"]


class Intervention:
    """Runs a network on variants of pictures, in each of which other units have given values.

    Args:
        network: the network; it is not changed.
        layer: the layer whose units are given values.
        values: one for each unit, at all positions of all pictures, or one for all units.

    Raises:
        UnknownLayerError: with the nearest names.
    """

    def __init__(
        self, network: Network, layer: str, values: float | Float[Tensor, "units"] = 0.0
    ) -> None:
        self.network = network
        self.module = network.module
        self.layer = network.layer(layer)
        given = torch.as_tensor(values, dtype=torch.float)
        self.values = given.expand(self.layer.units).to(network.device)
        self._late: dict[frozenset[str], bool] = {}

    @torch.no_grad()
    def record(
        self,
        pictures: Float[Tensor, "b c h w"],
        masks: Masks,
        layers: Collection[str] = (LOGITS,),
    ) -> Recording:
        """The values of `layers` for every picture under every mask, mask by mask: `variants·b …`.

        The units of a mask have their given values, all others what they answer. The variants part
        ways at the layer, unless `late` is false.
        """
        return self._record(pictures, masks, layers, self.late(layers))

    def late(self, layers: Collection[str] = (LOGITS,)) -> bool:
        """Whether what comes after the layer, up to `layers`, comes from it alone; by a trial.

        Where a connection leads around it, copies of its values do not fit the rest, or are not
        answered as copies of the pictures are.
        """
        asked = frozenset(layers)
        if asked not in self._late:
            self._late[asked] = self._tried(asked)
        return self._late[asked]

    def _tried(self, layers: Collection[str]) -> bool:
        grey = torch.linspace(0.1, 0.9, 2 * self.network.input.channels)
        height, width = self.network.input.size
        pictures = grey.view(2, -1, 1, 1).repeat(1, 1, height, width)
        masks = torch.zeros(3, len(self.values), dtype=torch.bool)
        masks[1] = True
        with suppress(RuntimeError, ValueError):
            late, early = (self._record(pictures, masks, layers, late) for late in (True, False))
            return all(torch.allclose(late[n], early[n], atol=1e-4) for n in layers)
        return False

    @torch.no_grad()
    def _record(
        self, pictures: Tensor, masks: Tensor, layers: Collection[str], late: bool
    ) -> Recording:
        variants = len(masks)
        given = masks.to(self.values.device).repeat_interleave(len(pictures), dim=0)

        def edit(values: Tensor) -> Tensor:
            if late:
                values = values.repeat(variants, *[1] * (values.ndim - 1))
            new = self.values.to(values)[None]
            return torch.where(along_units(given, values), along_units(new, values), values)

        shown = pictures if late else pictures.repeat(variants, 1, 1, 1)
        with replace(self.module, self.layer, edit):
            return self.network.record(shown, layers)
