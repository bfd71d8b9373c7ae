"""Random, differentiable changes that a picture should survive: seeded, one stream per image.

A picture that excites a unit only when no pixel moves is an artefact; one that still does after
small shifts, turns and changes of size is more likely something the unit looks for.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from phosphene.errors import InputError, nearest
from phosphene.streams import Streams
from phosphene.values import Value

FILLS = ("zeros", "border", "reflection")


def warp(
    pictures: Float[Tensor, "b c h w"],
    shift: Float[Tensor, "b 2"],
    angle: Float[Tensor, "b"],
    scale: Float[Tensor, "b"],
    fill: str = "zeros",
) -> Float[Tensor, "b c h w"]:
    """Scale and turn pictures about their centre, then shift them, in one bilinear resampling.

    `shift` is (down, right) in pixels, `angle` is counter-clockwise in degrees, `scale` > 1
    enlarges. What comes from outside the picture is 0, its nearest pixel or its mirror image.

    >>> picture = torch.eye(3)[None, None]
    >>> warp(picture, torch.tensor([[1.0, 0.0]]), torch.zeros(1), torch.ones(1)).squeeze().round()
    tensor([[0., 0., 0.],
            [1., 0., 0.],
            [0., 1., 0.]])
    """
    height, width = pictures.shape[2:]
    turn = torch.deg2rad(angle)
    cos, sin = turn.cos() / scale, turn.sin() / scale
    down, right = shift.unbind(dim=1)
    # Where each output pixel comes from, in pixels from the centre: x = cos x' - sin y', ...
    # after undoing the shift; grid_sample counts in half widths and half heights.
    to_right = _centred(width, pictures) - right.to(pictures)[:, None]
    to_bottom = _centred(height, pictures) - down.to(pictures)[:, None]
    cos, sin = cos.to(pictures)[:, None, None], sin.to(pictures)[:, None, None]
    x, y = to_right[:, None, :], to_bottom[:, :, None]
    grid = pictures.new_empty(len(pictures), height, width, 2)
    torch.sub(cos * x * (2 / width), sin * y * (2 / width), out=grid[..., 0])
    torch.add(sin * x * (2 / height), cos * y * (2 / height), out=grid[..., 1])
    warped = _sampled(pictures, grid, fill)
    warped.detach().clamp_(0, 1)  # weights sum to one only up to rounding; the gradient stays
    return warped


def _sampled(
    pictures: Float[Tensor, "b c h w"], grid: Float[Tensor, "b h w 2"], fill: str
) -> Float[Tensor, "b c h w"]:
    warped: Tensor = _Sampled.apply(  # type: ignore[no-untyped-call]
        pictures, grid, FILLS.index(fill)
    )
    return warped


class _Sampled(torch.autograd.Function):
    """Bilinear `grid_sample`, with the gradient of the pictures alone.

    PyTorch works out how the result follows the grid as well, for which it reads the pictures
    again. The gradient of the pictures does not depend on them, so here it reads a single zero.
    """

    @staticmethod
    def forward(
        context: Any, pictures: Tensor, grid: Tensor, fill: int
    ) -> Float[Tensor, "b c h w"]:
        context.grid, context.fill, context.shape = grid, fill, pictures.shape
        warped: Tensor = torch.ops.aten.grid_sampler_2d(pictures, grid, 0, fill, False)
        return warped

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        like = gradient.new_zeros(1).expand(context.shape)
        found, _ = torch.ops.aten.grid_sampler_2d_backward(
            gradient, like, context.grid, 0, context.fill, False, [True, False]
        )
        return found, None, None


def resized(
    pictures: Float[Tensor, "b c h w"], size: tuple[int, int]
) -> Float[Tensor, "b c h2 w2"]:
    """Pictures brought to `size` (h, w) by averaging; those that have it are given back.

    >>> resized(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]]), (1, 1))
    tensor([[[[0.5000]]]])
    """
    if tuple(pictures.shape[2:]) == tuple(size):
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True)


def _centred(count: int, like: Tensor) -> Float[Tensor, "count"]:
    """Where the middles of `count` pixels lie, from the centre of them all."""
    return torch.arange(count, device=like.device, dtype=like.dtype) - (count - 1) / 2


class Transform(Value, ABC):
    """A random, differentiable change of pictures that leaves them in [0, 1], as a value.

    >>> Transform.from_json({"transform": "affine", "rotate": 5.0})
    RandomAffine(shift=0.07, rotate=5.0, scale=(0.9, 1.1), fill='border')
    """

    tag: ClassVar[str] = "transform"
    called: ClassVar[str] = "transform"

    @abstractmethod
    def __call__(
        self, pictures: Float[Tensor, "b c h w"], streams: Streams
    ) -> Float[Tensor, "b c h2 w2"]:
        """Change image i with numbers drawn from stream i alone."""


@dataclass(frozen=True)
class Identity(Transform):
    """Pictures as they are.

    >>> Identity().to_json()
    {'transform': 'identity'}
    """

    kind: ClassVar[str] = "identity"

    def __call__(
        self, pictures: Float[Tensor, "b c h w"], streams: Streams
    ) -> Float[Tensor, "b c h w"]:
        """The pictures themselves."""
        return pictures


@dataclass(frozen=True)
class RandomAffine(Transform):
    """A random shift, turn and change of size of each image, in one resampling.

    Shifts are uniform up to the fraction `shift` of height and width in each direction, turns up
    to `rotate` degrees either way, sizes between the factors `scale`. With nothing to change the
    pictures come back as they are.

    >>> pictures = torch.rand(1, 1, 8, 8)
    >>> RandomAffine(shift=0.0, rotate=0.0, scale=(1.0, 1.0))(pictures, Streams([])) is pictures
    True
    """

    kind: ClassVar[str] = "affine"
    shift: float = 0.07
    rotate: float = 10.0
    scale: tuple[float, float] = (0.9, 1.1)
    fill: str = "border"

    def __post_init__(self) -> None:
        """Refuse sizes that are no interval of positive factors, and unknown fillings."""
        low, high = self.scale
        if not 0 < low <= high < inf:
            raise InputError(f"scale {self.scale} is no range of positive factors, low to high")
        if self.fill not in FILLS:
            raise InputError(f"no fill is called {self.fill!r}; {nearest(self.fill, FILLS)}")
        for name in ("shift", "rotate"):  # equal values are to be equal as JSON too
            object.__setattr__(self, name, float(getattr(self, name)))
            if not isfinite(getattr(self, name)):
                raise InputError(f"a {name} of {getattr(self, name)}; it is a finite number")
        object.__setattr__(self, "scale", (float(low), float(high)))

    def __call__(
        self, pictures: Float[Tensor, "b c h w"], streams: Streams
    ) -> Float[Tensor, "b c h w"]:
        """Change each picture by four numbers from its own stream."""
        low, high = self.scale
        if (self.shift, self.rotate, low, high) == (0, 0, 1, 1):
            return pictures
        drawn = streams.uniform(4).to(pictures)
        both_ways = 2 * drawn[:, :3] - 1
        reach = self.shift * pictures.new_tensor(pictures.shape[2:])
        return warp(
            pictures,
            shift=reach * both_ways[:, :2],
            angle=self.rotate * both_ways[:, 2],
            scale=low + (high - low) * drawn[:, 3],
            fill=self.fill,
        )


@dataclass(frozen=True)
class Compose(Transform):
    """One transform after the other."""

    kind: ClassVar[str] = "compose"
    transforms: tuple[Transform, ...]

    def __call__(
        self, pictures: Float[Tensor, "b c h w"], streams: Streams
    ) -> Float[Tensor, "b c h w"]:
        """Change the pictures by each transform in turn."""
        for transform in self.transforms:
            pictures = transform(pictures, streams)
        return pictures
