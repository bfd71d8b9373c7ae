"""Layers derived from a layer: its values along directions of the space of its units.

A lens on layer `conv2` called `pca` makes a layer `conv2[pca]`, whose unit 3 is `conv2[pca]:3`. It
is recorded, drawn, mapped, surveyed and studied as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import SettingError, UnknownLayerError, nearest
from phosphene.network.discovery.layers import Layer
from phosphene.network.layouts import Grid, copied, unit_axis
from phosphene.network.sites import Site
from phosphene.values import Value


@dataclass(frozen=True)
class Lens(Value):
    """Unit k of the derived layer is Σ_c directions[k, c] · a[c] at each place, a being `of`.

    Directions are taken as they are long. `name` stands in the brackets of the layer's address.

    Raises:
        SettingError: a name with brackets or colons; rows of unequal length, of zeros, not finite.
    """

    name: str
    of: str
    directions: tuple[tuple[float, ...], ...] = field(hash=False, repr=False)
    called: ClassVar[str] = "lens"

    def __post_init__(self) -> None:
        """Refuse what makes no layer."""
        if not self.name or set(self.name) & set("[]:@"):
            raise SettingError(f"{self.name!r} names no lens; a name such as pca, without []:@")
        lengths = {len(row) for row in self.directions}
        if len(lengths) != 1 or 0 in lengths:
            raise SettingError(
                f"the directions of lens {self.name!r} have {sorted(lengths)} numbers; give a row "
                "for each, as long as the layer has units"
            )
        if not (self.matrix.isfinite().all() and self.matrix.any(1).all()):
            raise SettingError(f"a direction of lens {self.name!r} is all zeros or not finite")

    @classmethod
    def along(cls, name: str, of: str, directions: Float[Tensor, "k c"]) -> "Lens":
        """The lens with a unit for each row."""
        return cls(name, of, tuple(map(tuple, directions.detach().tolist())))

    @property
    def address(self) -> str:
        """What the derived layer is called."""
        return f"{self.of}[{self.name}]"

    @cached_property
    def matrix(self) -> Float[Tensor, "k c"]:
        """The directions."""
        return torch.tensor(self.directions, dtype=torch.double)

    @cached_property
    def back(self) -> Float[Tensor, "c k"]:
        """The pseudo-inverse: the smallest change of `of` that changes the derived values so."""
        back: Tensor = torch.linalg.pinv(self.matrix)
        return back

    def __call__(self, values: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        """The derived layer's values, of values of `of` as they are recorded."""
        return _mixed(self.matrix, values)

    def put(self, values: Tensor, derived: Tensor) -> Tensor:
        """Values of `of` moved along the directions, so that `derived` are seen through the lens.

        As far as the directions can be told apart: of two alike only the sum can be moved.
        """
        return values + _mixed(self.back, derived - self(values))

    def layer(self, layers: Mapping[str, Layer]) -> Layer:
        """The derived layer.

        Raises:
            UnknownLayerError: the layer it is of is missing, with the nearest.
            SettingError: it does not fit, or is there already.
        """
        base = layers.get(self.of)
        if base is None:
            raise UnknownLayerError(
                f"there is no layer {self.of!r} for lens {self.name!r}; {nearest(self.of, layers)}"
            )
        if self.address in layers:
            raise SettingError(
                f"there is a layer {self.address!r} already; give the lens another name"
            )
        if base.units != self.matrix.shape[1]:
            raise SettingError(
                f"directions of {self.matrix.shape[1]} numbers were given for layer {self.of!r}, "
                f"which has {base.units} units"
            )
        units = len(self.directions)
        at = unit_axis(1 + len(base.shape)) - 1
        shape = (*base.shape[:at], units, *base.shape[at + 1 :])
        told = {"name": self.address, "keys": (*base.site.keys, self.name)}
        own = {f.name: getattr(base.site, f.name) for f in fields(Site)}
        site = Through(**(own | told), inner=base.site, lens=self)
        return replace(
            base, name=self.address, kind="Lens", shape=shape, default=True, site=site, weights=None
        )


@dataclass(frozen=True, kw_only=True)
class Through(Site):
    """A place whose values are read and replaced through a lens."""

    inner: Site
    lens: Lens

    def read(self, output: Any, picture: Grid) -> Tensor:
        """The derived value."""
        return self.lens(self.inner.read(output, picture))

    def write(self, output: Any, recorded: Tensor) -> Any:
        """A copy of what the module gave back, moved along the directions."""
        grid = (recorded.shape[2], recorded.shape[3]) if recorded.ndim == 4 else (1, 1)
        values = copied(self.inner.read(output, grid), len(recorded))
        return self.inner.write(output, self.lens.put(values, recorded))


def _mixed(matrix: Tensor, values: Tensor) -> Tensor:
    """A matrix times the units at each place; units are on axis 1, of sequences on the last."""
    axis = unit_axis(values.ndim)
    units = values.movedim(axis, -1)
    return (units @ matrix.to(units).T).movedim(-1, axis)


def with_derived(layers: Mapping[str, Layer], lens: Lens) -> dict[str, Layer]:
    """All layers, and the derived one after the one that it is of."""
    derived, found = lens.layer(layers), dict[str, Layer]()
    for name, layer in layers.items():
        found[name] = layer
        if name == lens.of:
            found[derived.name] = derived
    return found
