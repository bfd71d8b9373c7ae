"""What if a layer had other values? For as long as a block lasts, or in many variants at once.

`replace` edits a layer's values while a block holds. An `Intervention` shows the same pictures in
many variants, in each of which other units of a layer have given values:

| what is asked  | mask of a variant           | values                                        |
|----------------|-----------------------------|-----------------------------------------------|
| remove a group | its units                   | a baseline: zero, or each unit's mean         |
| keep a group   | all but its units           | the same baseline                             |
| raise a group  | its units                   | a high value of each unit, as a quantile      |
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from phosphene.errors import InputError, UnknownUnitError
from phosphene.naming import listed
from phosphene.network.discovery.layers import Layer
from phosphene.network.discovery.trial import trial_pictures
from phosphene.network.feed import ANY
from phosphene.network.layouts import Grid, along_units, copied
from phosphene.network.record import Network
from phosphene.network.recorded import Recording
from phosphene.network.sites import Site
from phosphene.network.tapping import watched
from phosphene.units import LOGITS

Group = tuple[int, ...]
"""Units of one layer that are given other values together."""


@contextmanager
def replace(
    module: nn.Module, layer: Layer | str, edit: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """While it holds, the network goes on from `edit(value)` wherever `layer` gives back a value.

    With a `Layer` of `Network.layers`, `edit` is given values as they are recorded: maps as
    `b c h w`, also where the network has its channels last or patches in a row. With a name it is
    given what the module gave back; of a module that is called several times in a pass, `path@1`
    is the second call alone and `path` stands for all of them. Calls are counted within each pass
    over `module`. `edit` gives back a new tensor, of as many rows or of several copies of them; a
    recording made inside the block holds the replaced values. The hooks are removed on the way
    out, also after an exception.

    Raises:
        UnknownLayerError: no module of that name, with the nearest.

    >>> import torch
    >>> double = nn.Sequential(nn.Identity(), nn.ReLU())
    >>> with replace(double, "0", torch.neg):
    ...     double(torch.tensor([[[[-2.0, 3.0]]]]))
    tensor([[[[2., 0.]]]])
    """
    site = layer.site if isinstance(layer, Layer) else Site.parse(layer, module)

    def watch(path: str, call: int, output: Any, picture: Grid) -> Any:
        if site.call not in (None, call):
            return None
        return site.write(output, edit(site.read(output, picture)))

    with watched(module, [site.path], watch):
        yield


def masks_of(layer: Layer, groups: Sequence[Group]) -> Bool[Tensor, "groups units"]:
    """A row for each group of a layer's units, true for those that are in it.

    Raises:
        UnknownUnitError: the layer has no such unit.
    """
    beyond = sorted({unit for group in groups for unit in group if not 0 <= unit < layer.units})
    if beyond:
        raise UnknownUnitError(
            f"layer {layer.name!r} has units 0 to {layer.units - 1}; {beyond} were asked for"
        )
    masks = torch.zeros(len(groups), layer.units, dtype=torch.bool)
    for mask, group in zip(masks, groups, strict=True):
        mask[list(group)] = True
    return masks


class Intervention:
    """Runs a network on variants of pictures, in each of which other units have given values.

    Args:
        network: the network; it is not changed.
        layer: the layer whose units are given values.
        values: one for each unit, at all positions of all pictures, or one for all units.

    Raises:
        UnknownLayerError: with the nearest names.
        InputError: values that do not fit the layer.
    """

    def __init__(
        self, network: Network, layer: str, values: float | Float[Tensor, "_"] = 0.0
    ) -> None:
        self.network = network
        self.layer = network.layer(layer)
        given = torch.as_tensor(values, dtype=torch.float)
        if given.shape not in {(), (1,), (self.layer.units,)}:
            raise InputError(
                f"values of shape {tuple(given.shape)} were given for layer {self.layer.name!r}; "
                f"give one number, or one for each of its {self.layer.units} units"
            )
        self.values = given.expand(self.layer.units).to(network.device)
        self._late: dict[frozenset[str], bool] = {}

    def record(
        self,
        pictures: Float[Tensor, "b c h w"],
        masks: Bool[Tensor, "variants units"],
        layers: str | Collection[str] = (LOGITS,),
    ) -> Recording:
        """The values of `layers` for every picture under every mask, mask by mask: `variants·b …`.

        The units of a mask have their given values, all others what they answer. What comes before
        the layer is computed once for all variants, unless a connection leads around it.
        """
        layers = listed(layers)
        return self._record(pictures, masks, layers, self.late(layers))

    def late(self, layers: str | Collection[str] = (LOGITS,)) -> bool:
        """Whether `layers` see the variants right that part ways at the layer, as a trial shows.

        Where a connection leads around it, copies of its values do not fit the rest, or are not
        answered as copies of the pictures are; nor does a network take them that needs its
        pictures in some number.
        """
        asked = frozenset(listed(layers))
        if asked not in self._late:
            self._late[asked] = self.network.feed == ANY and self._try(asked)
        return self._late[asked]

    def _try(self, layers: Collection[str]) -> bool:
        pictures = trial_pictures(self.network.input.shape)[:2]
        masks = torch.zeros(3, self.layer.units, dtype=torch.bool)
        masks[1] = True
        early = self._record(pictures, masks, layers, late=False)
        with suppress(Exception):  # whatever the rest raises when it meets copies it did not make
            late = self._record(pictures, masks, layers, late=True)
            return all(_alike(late[name], early[name]) for name in layers)
        return False

    @torch.no_grad()
    def _record(
        self, pictures: Tensor, masks: Tensor, layers: Collection[str], late: bool
    ) -> Recording:
        """The copies are made of the layer's values if `late`, else of the pictures."""
        rows = masks.to(self.values.device).repeat_interleave(len(pictures), dim=0)
        parts = iter([rows] if late else [part for part, _ in self.network.feed.parts(rows)])

        def edit(values: Tensor) -> Tensor:
            given, new = next(parts), self.values.to(values)[None]
            values = copied(values, len(given))
            return torch.where(along_units(given, values), along_units(new, values), values)

        shown = pictures if late else copied(pictures, len(rows))
        with replace(self.network.module, self.layer, edit):
            return self.network.record(shown, layers)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether values are the same but for rounding."""
    near = 1e-4 * min(1.0, float(other.abs().max()))
    return one.shape == other.shape and torch.allclose(one, other, atol=near)
