"""A network as it is while some of its units have other values: read, mapped and recorded as ever.

`Intervention` runs many variants forward at once. Here it is one, for as long as a block lasts, and
gradients are those of the changed network.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import InputError, nearest
from phosphene.network.discovery.layers import Layer
from phosphene.network.intervene import masks_of, replace
from phosphene.network.layouts import along_units
from phosphene.network.record import Network
from phosphene.network.turns import turn
from phosphene.units import Unit

How = Literal["remove", "keep", "raise"]


@dataclass(frozen=True)
class Change:
    """What becomes of a unit, at all its places: `how` is "remove", "keep" or "raise".

    A unit that is removed has its baseline. Where units of a layer are kept, all of it that no
    change names are removed. A unit that is raised answers `by` times what it would.

    Raises:
        InputError: a single place; another `how`; a `by` that is no finite number.
    """

    unit: Unit
    how: str
    by: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        known = get_args(How)
        if self.how not in known:
            raise InputError(f"{self.unit} was to be {self.how!r}; {nearest(self.how, known)}")
        if self.unit.y is not None:
            raise InputError(
                f"{self.unit} is a single place; a unit is changed at all its places, give it as "
                f"{self.unit.layer}:{self.unit.index}"
            )
        if not torch.tensor(float(self.by)).isfinite():
            raise InputError(f"{self.unit} was to be raised {self.by} times; give a number")


@dataclass(frozen=True, eq=False)
class Edit:
    """What becomes of a layer: each unit is multiplied by its factor, and its level is added.

    Written as a sum, so that rules that share a sum among its terms hold through it as well.
    """

    factor: Float[Tensor, "units"]
    level: Float[Tensor, "units"]

    def __call__(self, values: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """Values as they are recorded, changed."""
        device, dtype = values.device, values.dtype  # not .to(values): rules would see a mask of it
        factor, level = (
            along_units(each[None].to(device, dtype), values) for each in (self.factor, self.level)
        )
        return values * factor + level


Levels = Callable[[str], Float[Tensor, "units"]]
"""The baseline of a layer, a value for each of its units."""


@contextmanager
def changed(network: Network, changes: Sequence[Change], levels: Levels) -> Iterator[Network]:
    """The network while `changes` hold, which is for the block; nobody else is inside meanwhile.

    What is asked in the block is asked of what is given: it knows what `network` does, and takes
    what it learns while it is changed with it. Ask `levels` for nothing that runs the network for
    long, since all others wait.

    Raises:
        UnknownLayerError, UnknownUnitError: there is no such unit.
        InputError: a unit is changed twice.

    >>> from phosphene.network.inputs import Input
    >>> network = Network(torch.nn.Conv2d(1, 2, 1, bias=False), Input(1, (4, 4)))
    >>> black = torch.zeros(1, 1, 4, 4)
    >>> with changed(network, [Change(Unit("output", 1), "remove")], lambda _: torch.ones(2)) as it:
    ...     it.record(black, ["output"])["output"].mean((2, 3))
    tensor([[0., 1.]])
    """
    edits = edits_of(network, changes, levels)
    with turn(network.module), ExitStack() as stack:
        there = _apart(network)
        for layer, edit in edits:
            stack.enter_context(replace(network.module, layer, edit))
        yield there


def edits_of(
    network: Network, changes: Sequence[Change], levels: Levels
) -> list[tuple[Layer, Edit]]:
    """What becomes of each layer of which a unit is changed, in the order the network runs them."""
    by_layer: dict[str, list[Change]] = {}
    for change in changes:
        unit = network.unit(change.unit)
        others = by_layer.setdefault(unit.layer, [])
        if any(other.unit.index == unit.index for other in others):
            raise InputError(f"{unit} is changed twice; say once what becomes of it")
        others.append(Change(unit, change.how, change.by))
    return [
        (layer, _edit(layer, by_layer[name], levels))
        for name, layer in network.layers.items()
        if name in by_layer
    ]


def _edit(layer: Layer, changes: Sequence[Change], levels: Levels) -> Edit:
    removed, named = (
        masks_of(layer, [tuple(each.unit.index for each in some)])[0]
        for some in ([each for each in changes if each.how == "remove"], changes)
    )
    kept = any(each.how == "keep" for each in changes)
    held = removed | ~named if kept else removed
    level = levels(layer.name).cpu() if held.any() else torch.zeros(layer.units)
    if level.shape != (layer.units,):
        raise InputError(
            f"a baseline of shape {tuple(level.shape)} was given for layer {layer.name!r}; give a "
            f"number for each of its {layer.units} units"
        )
    factor = torch.ones(layer.units)
    for each in changes:
        if each.how == "raise":
            factor[each.unit.index] = each.by
    return Edit(factor.where(~held, 0.0), level.float().where(held, 0.0))


def _apart(network: Network) -> Network:
    """The same network with a memory of its own: what is learnt while it is changed is not true."""
    _ = network.layers  # the first look is at the network as it is
    other = object.__new__(type(network))
    for name, value in vars(network).items():
        vars(other)[name] = dict(value) if isinstance(value, dict) else value
    return other
