"""What gathers from a stream: it takes in a part of it, and what others took in of other parts."""

from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar

import torch
from torch import Tensor

from phosphene.errors import DataError


class Accumulator(ABC):
    """Gathers from a stream, which may be cut into shards that several gather from.

    Each class takes in items with an `add` of its own, and with `merge` what another has of items
    that come later. Whatever counts, and whatever keeps some of the items, is the same for any
    cut. Sums of floats are rounded, so they belong to the cut and to the order of merging: for
    these two they are the same, bit for bit, whoever gathered which shard.
    """

    gathered: ClassVar[tuple[str, ...]]
    """The attributes that hold what was taken in."""

    @property
    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """What it gathers, as a JSON value: only what was asked the same can be merged."""

    def merge(self, other: "Accumulator") -> None:
        """Take in what `other` of the same class has of later items.

        Raises:
            DataError: the other was asked something else.
        """
        self._require(type(other).__name__, other.asked)
        self._join(other)

    def state(self) -> dict[str, Any]:
        """All that is held, as JSON values and tensors, which share this one's memory."""
        return {"asked": self.asked} | {name: _told(getattr(self, name)) for name in self.gathered}

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `state` says, exactly, in place of what was held.

        Raises:
            DataError: the state is of one that was asked something else.
        """
        self._require(type(self).__name__, state["asked"])
        for name in self.gathered:
            setattr(self, name, _taken(getattr(self, name), state[name]))

    def _join(self, other: Any) -> None:
        for name in self.gathered:
            setattr(self, name, _joined(getattr(self, name), getattr(other, name)))

    def _require(self, kind: str, asked: dict[str, Any]) -> None:
        if (kind, asked) != (type(self).__name__, self.asked):
            raise DataError(
                f"{kind} of {_listed(asked)} cannot be taken into {type(self).__name__} of "
                f"{_listed(self.asked)}; gather from all shards alike"
            )


def _joined(held: Any, other: Any) -> Any:
    match held:
        case Accumulator():
            held.merge(other)
            return held
        case None:
            return None
        case dict() if not isinstance(held, Counter):
            return {name: _joined(part, other[name]) for name, part in held.items()}
        case _:
            return held + other


def _told(held: Any) -> Any:
    match held:
        case Accumulator():
            return held.state()
        case Counter():
            return [[group, count] for group, count in held.items()]
        case dict():
            return {name: _told(part) for name, part in held.items()}
        case _:
            return held


def _taken(held: Any, told: Any) -> Any:
    """What was `told` of a thing like `held`."""
    match held:
        case Accumulator():
            held.restore(told)
            return held
        case Counter():
            return Counter({_group(group): count for group, count in told})
        case dict():
            return {name: _taken(part, told[name]) for name, part in held.items()}
        case list():
            return [_group(item) for item in told]
        case Tensor():
            return torch.clone(told)
        case _:
            return told


def _group(told: Any) -> Any:
    """JSON knows no tuples."""
    return tuple(map(_group, told)) if isinstance(told, list | tuple) else told


def _listed(asked: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items())
