"""What is true of a planted network: written down by hand, recomputed by its tests."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

if TYPE_CHECKING:
    from phosphene.network import Network

Rows = tuple[tuple[float, ...], ...]
"""One row for each picture asked about, one number for each unit of the source layer."""

_TARGET = re.compile(r"(\w+):(\d+)(?:@(\d+),(\d+))?")


@dataclass(frozen=True)
class Facts:
    """What removing each unit and keeping it alone does to the target t, from one baseline b.

    removed_i = t(x) - t(x; a_i <- b_i), and kept_i = t(x; all others <- b) - t(x; all <- b).
    """

    removed: Rows
    kept: Rows


@dataclass(frozen=True)
class Pair:
    """What two parts are to each other, on every picture asked about; baseline zero.

    removed = removed_ij - removed_i - removed_j, and kept = kept_ij - kept_i - kept_j. Parts that
    stand in for one another have removed above zero or kept below it; parts that need one another
    have removed below zero or kept above it. A majority has both above zero.
    """

    units: tuple[int, int]
    relation: Literal["redundant", "joint", "both"]
    removed: float
    kept: float


@dataclass(frozen=True)
class Route:
    """What removing a unit does while units of a later layer are held as they were: path patching.

    `removed` has one number for each picture asked about; baseline zero.
    """

    unit: int
    layer: str
    held: tuple[int, ...]
    removed: tuple[float, ...]


@dataclass(frozen=True)
class Wrong:
    """What a measure gets wrong about a network: parts it misses, others that it calls parts."""

    missed: tuple[int, ...] = ()
    called: tuple[int, ...] = ()


@dataclass(frozen=True)
class Truth:
    """Which units of the source layer the target is made of, and what each intervention does.

    Args:
        excites: parts whose presence raises the target.
        inhibits: parts whose presence lowers it.
        mixed: parts that do the one on some pictures, the other on others.
        idle: units that are no part, however they look.
        mean: each unit's mean over all places of the data, the second baseline.
        high: each unit's 99 % quantile there, which is also its highest value.
        value: t on each of the pictures.
        from_zero: facts with baseline zero.
        from_mean: facts with baseline `mean`.
        raised: t(x; a_i <- high_i) - t(x).
        pairs: how parts act together, where that is what the network is about.
        routes: effects along one route alone, where that is what the network is about.
    """

    mean: tuple[float, ...]
    high: tuple[float, ...]
    value: tuple[float, ...]
    from_zero: Facts
    from_mean: Facts
    raised: Rows
    excites: tuple[int, ...] = ()
    inhibits: tuple[int, ...] = ()
    mixed: tuple[int, ...] = ()
    idle: tuple[int, ...] = ()
    pairs: tuple[Pair, ...] = ()
    routes: tuple[Route, ...] = ()

    @property
    def parts(self) -> tuple[int, ...]:
        """All parts, in order."""
        return tuple(sorted((*self.excites, *self.inhibits, *self.mixed)))


@dataclass(frozen=True)
class Planted:
    """A network whose weights were set by hand, pictures to ask it about, and the truth.

    Args:
        name: what it is called.
        words: the circuit in words.
        make: builds the module, in eval mode; nothing in it is random or trained.
        pictures: those asked about, `b c h w` in [0, 1]; they enter the module as they are.
        data: those over which means and quantiles are taken; `pictures` come first among them.
        truth: what is true on `pictures`.
        fools: by the name of a naive measure, what it gets wrong here; others get it right.
        source: the layer whose units are asked about.
        target: the unit asked about, `layer:unit` or `layer:unit@y,x`.
        axis: where the source layer's value counts its units: 1, or -1 for tokens.
    """

    name: str
    words: str
    make: Callable[[], nn.Module]
    pictures: Tensor
    data: Tensor
    truth: Truth
    fools: Mapping[str, Wrong] = field(default_factory=dict)
    source: str = "source"
    target: str = "target:0@1,1"
    axis: int = 1

    def __str__(self) -> str:
        return self.name

    @property
    def aim(self) -> tuple[str, tuple[int, ...]]:
        """The target's layer, and which entry of its value for a picture is the target."""
        match = _TARGET.fullmatch(self.target)
        assert match is not None, self.target
        layer, *at = match.groups()
        return layer, tuple(int(number) for number in at if number is not None)

    def network(self) -> "Network":
        """The module as phosphene's network; all else in this package needs PyTorch alone."""
        from phosphene.network import Input, Network

        _, channels, *size = self.pictures.shape
        return Network(self.make(), Input(channels, tuple(size)), name=self.name)
