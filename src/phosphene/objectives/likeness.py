"""How a layer's values for a picture compare with values that it gave before."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from math import prod
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError, PhospheneError, reading
from phosphene.network.recorded import Recording
from phosphene.objectives.algebra import LayerTerm
from phosphene.values import Value
from phosphene.words import literal


@dataclass(frozen=True)
class Values(Value):
    """The values a layer gave back, frozen: they compare, hash and turn into JSON.

    `data` is the base64 of little-endian float32 numbers in the order of `shape`, batch first.

    >>> kept = Values.of(torch.tensor([[1.0, -2.0]]))
    >>> kept.tensor, kept
    (tensor([[ 1., -2.]]), Values(shape=(1, 2), data='AACAPwAAAMA='))
    """

    called: ClassVar[str] = "layer's values"
    error: ClassVar[type[PhospheneError]] = ObjectiveError
    shape: tuple[int, ...]
    data: str

    @classmethod
    def of(cls, values: Float[Tensor, "b ..."]) -> "Values":
        """Freeze the values of one image or of several."""
        array = values.detach().cpu().numpy().astype("<f4")
        return cls(tuple(values.shape), base64.b64encode(array.tobytes()).decode())

    def __post_init__(self) -> None:
        """Refuse data of another length than the shape says; raises `ObjectiveError`."""
        bytes_ = len(base64.b64decode(self.data))
        if bytes_ != 4 * prod(self.shape):
            raise ObjectiveError(
                f"values of shape {self.shape} take {4 * prod(self.shape)} bytes; "
                f"{bytes_} were given"
            )

    @cached_property
    def tensor(self) -> Float[Tensor, "b ..."]:
        """The values themselves."""
        array = np.frombuffer(base64.b64decode(self.data), dtype="<f4").astype(np.float32)
        return torch.from_numpy(array.reshape(self.shape))

    def to_json(self) -> list[Any]:
        """Shape and data, as a pair."""
        return [list(self.shape), self.data]

    @classmethod
    def from_json(cls, value: Any) -> "Values":
        """The inverse of `to_json`."""
        with reading(value, cls.called, cls.error):
            shape, data = value
            return cls.read({"shape": shape, "data": data})

    def take(self, images: Sequence[int]) -> "Values":
        """Those of a selection of the images."""
        return Values.of(self.tensor[list(images)])

    def __str__(self) -> str:
        digest = blake2b(self.data.encode(), digest_size=3).hexdigest()
        return f"values of {' x '.join(map(str, self.shape))} ({digest})"


@dataclass(frozen=True)
class _Compared(LayerTerm):
    """Base of the terms that hold a layer's values for one image, or for each image of a batch."""

    layer: str
    target: Values

    def __post_init__(self) -> None:
        """Refuse a target without any length; raises `ObjectiveError`."""
        super().__post_init__()
        lengths = self.target.tensor.flatten(1).norm(dim=1)
        if not bool((lengths > 0).all()):
            raise ObjectiveError(
                f"{self.layer} answers with zeros alone, which nothing can be compared with; "
                "choose another picture or layer"
            )

    @property
    def batch(self) -> int | None:
        """As many images as there are targets; one target fits any number."""
        return None if self.target.shape[0] == 1 else self.target.shape[0]

    def take(self, images: Sequence[int]) -> "_Compared":
        """The same for a selection of the images."""
        return self if self.batch is None else replace(self, target=self.target.take(images))

    def _pair(self, recording: Recording) -> tuple[Tensor, Tensor]:
        """Values and targets as `b numbers`."""
        values = recording[self.layer]
        if tuple(values.shape[1:]) != self.target.shape[1:]:
            raise ObjectiveError(
                f"{self.layer} gives values of shape {tuple(values.shape[1:])} for these pictures; "
                f"they cannot be compared with values of {self.target.shape[1:]}. "
                "Use pictures of the size that the target was taken from"
            )
        if self.batch not in {None, len(values)}:
            raise ObjectiveError(f"{self.batch} targets were given for {len(values)} images")
        target = self.target.tensor.to(values).expand_as(values)
        return values.flatten(1), target.flatten(1)


@dataclass(frozen=True)
class RelativeError(_Compared):
    """How far a layer's values are from a target: subtract it to invert a representation.

    score = |a - t|² / |t|², over all units and positions.

    *Source:* Mahendran & Vedaldi 2014, arXiv 1412.0035, eq. 2 (the loss, normalised as there).
    """

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The squared relative distance, per image."""
        values, target = self._pair(recording)
        return (values - target).square().sum(1) / target.square().sum(1)

    def __str__(self) -> str:
        return f"relative error in {self.layer}"


@dataclass(frozen=True)
class Likeness(_Compared):
    """How strongly a layer answers in the way of a target: what a caricature exaggerates.

    score = <a, t> / |t| · max(cos(a, t), 0.1)^cosine_power, over all units and positions.

    *Source:* Olah et al. 2019, Lucid's caricatures ("Feature Inversion" notebook), where the power
    is 1 by default.
    """

    cosine_power: float = 1.0

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The projection on the target, per image."""
        values, target = self._pair(recording)
        along: Tensor = (values * target).sum(1) / target.norm(dim=1)
        if self.cosine_power == 0:
            return along
        cosine: Tensor = along / values.norm(dim=1).clamp_min(1e-8)
        favoured: Tensor = along * cosine.clamp_min(0.1).pow(self.cosine_power)
        return favoured

    def __str__(self) -> str:
        return f"likeness in {self.layer} (cosine^{literal(self.cosine_power)})"
