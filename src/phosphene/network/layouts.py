"""How the values of a layer lie in the network's own tensor, and how they are recorded.

Everything above the network knows three shapes: maps `b c h w`, vectors `b d`, and sequences
`b t d` whose tokens have no place in the picture. What the network has otherwise is turned into
these when it is recorded, and back when it is replaced:

| layout          | in the network      | recorded                                            |
|-----------------|---------------------|-----------------------------------------------------|
| `maps`          | `b c h w`           | as it is                                            |
| `channels_last` | `b h w c`           | `b c h w`                                           |
| `tokens`        | `b (n + h·w) c`     | the h·w patches as `b c h w`, without the n leading |
| `token`         | `b t c`             | one leading token, `b c`                            |
| `flat_maps`     | `b c (h·w)`         | `b c h w`                                           |
| `sequence`      | `b t c`             | as it is                                            |
| `signal`        | `b c t`             | `b t c`, as a sequence                              |
| `states`        | `n b c`             | a recurrent layer's last states, `b (n·c)`          |
| `vector`        | `b d`               | as it is                                            |
| `two_sided`     | `b 1`, a score z    | `b 2`, a score for each of two classes: -z/2, z/2   |
| `two_shares`    | `b 1`, a share p    | `b 2`, the share of each of two classes: 1 - p, p   |

Sequences may have the time first, `t b c`; `axis` is where the pictures of a batch are counted.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import log
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal[
    "maps",
    "channels_last",
    "tokens",
    "token",
    "flat_maps",
    "sequence",
    "signal",
    "states",
    "vector",
    "two_sided",
    "two_shares",
]

Grid = tuple[int, int]
"""Height and width in positions or pixels."""

_MOST_LEADING = 8


@dataclass(frozen=True)
class Layout:
    """How a value lies in the network's tensor.

    `leading` is how many tokens stand before the patches, or the number of the one `token`. `axis`
    counts the pictures of a batch.
    """

    kind: Kind
    leading: int = 0
    axis: int = 0

    def read(self, value: Tensor, picture: Grid) -> Tensor:
        """The network's `value` as it is recorded, for a picture of so many rows and columns."""
        value = value.movedim(self.axis, 0) if self.axis else value
        match self.kind:
            case "channels_last":
                value = value.movedim(-1, 1)
            case "tokens":
                value = _as_maps(value[:, self.leading :].transpose(1, 2), picture)
            case "token":
                value = value[:, self.leading]
            case "flat_maps":
                value = _as_maps(value, picture)
            case "signal":
                value = value.transpose(1, 2)
            case "states":
                value = value.flatten(1)
            case "two_sided":
                value = torch.cat([-value / 2, value / 2], dim=1)
            case "two_shares":
                value = torch.cat([1 - value, value], dim=1)
        return value

    def write(self, value: Tensor, recorded: Tensor) -> Tensor:
        """A new tensor like the network's `value`, with `recorded` in its place.

        It has as many copies of the batch as `recorded` has.
        """
        value = value.movedim(self.axis, 0) if self.axis else value
        made = self._written(copied(value, len(recorded)), recorded)
        return made.movedim(0, self.axis).contiguous() if self.axis else made

    def _written(self, value: Tensor, recorded: Tensor) -> Tensor:
        match self.kind:
            case "channels_last":
                recorded = recorded.movedim(1, -1).contiguous()
            case "tokens":
                recorded = torch.cat(
                    [value[:, : self.leading], recorded.flatten(2).transpose(1, 2)], dim=1
                )
            case "token":
                before, after = value[:, : self.leading], value[:, self.leading + 1 :]
                recorded = torch.cat([before, recorded[:, None], after], dim=1)
            case "flat_maps":
                recorded = recorded.flatten(2).clone()
            case "signal":
                recorded = recorded.transpose(1, 2).contiguous()
            case "states":
                recorded = recorded.unflatten(1, value.shape[1:]).clone()
            case "two_sided":
                recorded = recorded[:, 1:] - recorded[:, :1]
            case _:
                recorded = (recorded[:, 1:] if self.kind == "two_shares" else recorded).clone()
        return recorded


def along_units(given: Tensor, recorded: Tensor) -> Tensor:
    """What is `given` of pictures and units, `b units`, with axes to go with a recorded value."""
    for axis in range(1, recorded.ndim):
        given = given if axis == unit_axis(recorded.ndim) else given.unsqueeze(axis)
    return given


MAPS, VECTOR, SEQUENCE = Layout("maps"), Layout("vector"), Layout("sequence")
TWO_SIDED, TWO_SHARES = Layout("two_sided"), Layout("two_shares")
AS_IT_IS = SEQUENCE
"""Records whatever there is without a change."""


def unit_axis(axes: int) -> int:
    """Which axis of a recorded value of so many axes counts the units: the last of sequences.

    >>> [unit_axis(value.ndim) for value in (torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 3))]
    [1, 2]
    """
    return 2 if axes == 3 else 1


def copied(values: Tensor, rows: int) -> Tensor:
    """So many copies of a batch, one after the other, that there are `rows`."""
    if rows == len(values):
        return values
    return values.repeat(rows // max(1, len(values)), *[1] * (values.ndim - 1))


def grid_of(positions: int, picture: Grid) -> Grid:
    """The rows and columns, together `positions`, that come closest to the picture's shape.

    >>> grid_of(12, (16, 12)), grid_of(196, (224, 224)), grid_of(2, (9, 4))
    ((4, 3), (14, 14), (2, 1))
    """
    pairs = [(n, positions // n) for n in range(1, positions + 1) if positions % n == 0]
    return min(pairs, key=lambda p: abs(_log_ratio(p) - _log_ratio(picture)))


def _as_maps(rows: Tensor, picture: Grid) -> Tensor:
    height, width = grid_of(rows.shape[2], picture)
    return rows.reshape(len(rows), -1, height, width)


def _log_ratio(grid: Grid) -> float:
    return log(grid[0] / grid[1])


@dataclass(frozen=True)
class Evidence:
    """What a pass showed about one value, the pictures of the batch moved to its first axis.

    `inherited` is the layout of the module's input where that has the shape of the value; `seen`
    are the grids of layers before and `signals` the shapes of signals. `rows` says whether the
    value has rows that come from the picture; `places` of a grid, whether each of its places
    looks at its own part of the picture.
    """

    picture: Grid
    seen: Collection[Grid]
    signals: Collection[tuple[int, ...]]
    inherited: Layout | None
    rows: bool
    places: Callable[[Grid], bool]


def layout_of(module: nn.Module, first: bool, value: Tensor, evidence: Evidence) -> Layout:
    """How the `value` that `module` gave back lies, from what has been observed so far.

    `first` says that it is the first of what was given back. What the module is known to work on
    decides, then what it was given, then which axes look like a grid that was seen.
    """
    if value.ndim == 2:
        return VECTOR
    if isinstance(module, nn.RNNBase):
        return SEQUENCE if first else Layout("states")
    if value.ndim == 3:
        return _of_row(module, value, evidence)
    known = _known_axis(module, value)
    if known is not None:
        return MAPS if known == 1 else Layout("channels_last")
    if evidence.inherited is not None:
        return evidence.inherited
    shape, picture = value.shape, evidence.picture
    front, last = _like(shape[2:], picture), _like(shape[1:3], picture)
    return Layout("channels_last") if last and not front and shape[1:3] in evidence.seen else MAPS


_SIGNALS = (
    nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.MaxPool1d, nn.AvgPool1d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d, nn.LPPool1d, nn.MaxUnpool1d,
    nn.GroupNorm, nn.LazyConv1d, nn.LazyConvTranspose1d, nn.LazyBatchNorm1d, nn.SyncBatchNorm,
)  # fmt: skip
"""Modules that have the units of `b c t` on the second axis."""


def _of_row(module: nn.Module, value: Tensor, evidence: Evidence) -> Layout:
    """The layout of a value of three axes."""
    shape = tuple(value.shape[1:])
    if isinstance(module, _SIGNALS) or (
        shape in evidence.signals and not isinstance(module, nn.Linear)
    ):
        places = shape[1]
        grids = (g for g in evidence.seen if g[0] * g[1] == places >= 4 and evidence.rows)
        mapped = any(grid_of(places, evidence.picture) == g for g in grids)
        return Layout("flat_maps") if mapped else Layout("signal")
    return _of_sequence(shape, evidence) if evidence.rows else SEQUENCE


def _of_sequence(shape: tuple[int, ...], evidence: Evidence) -> Layout:
    """Tokens come in the number of a grid that was seen; a few may stand before them."""
    tokens, units = shape
    seen, picture = evidence.seen, evidence.picture
    for grid in sorted(set(seen), key=lambda g: -g[0] * g[1]):
        patches = grid[0] * grid[1]
        most = max(1, min(_MOST_LEADING, patches // 8))
        if patches >= 4 and 0 <= tokens - patches <= most and grid_of(patches, picture) == grid:
            return Layout("tokens", tokens - patches)
    if any(g[0] * g[1] == units >= 4 and grid_of(units, picture) == g for g in seen):
        return Layout("flat_maps")
    height, width = grid_of(tokens, picture)
    exact = height * picture[1] == width * picture[0] and tokens >= 4
    return Layout("tokens") if exact and evidence.places((height, width)) else SEQUENCE


def _known_axis(module: nn.Module, value: Tensor) -> int | None:
    """The axis of the units of `b x y z`, where PyTorch's own modules fix it."""
    if isinstance(module, nn.Linear):
        return 3
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        units = module.normalized_shape[0]  # some subclasses move the axis there and back
        return (
            3
            if units == value.shape[3] != value.shape[1]
            else 1
            if units != value.shape[3]
            else None
        )
    fixed = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
    return 1 if isinstance(module, fixed) else None


def _like(grid: tuple[int, ...], picture: Grid) -> bool:
    """Whether a grid has the picture's proportions, to a row or column."""
    height, width = grid
    return abs(height * picture[1] - width * picture[0]) <= max(picture)
