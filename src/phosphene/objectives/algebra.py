"""Objectives are values: they add, scale, compare, print as the code that makes them, and are JSON.

An objective gives each image of a recording one score `(b,)`, always to be maximised. Fields
that hold a tuple carry one entry per image, so one objective can hold b units for b images.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from operator import index
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ObjectiveError, PhospheneError
from phosphene.network.recorded import Recording
from phosphene.values import Value, identity


class Term(Value, ABC):
    """Base of all objectives; a member is a frozen dataclass of plain values.

    Subclasses say which `layers` they read and how they score a `Recording`; sums, differences,
    weights and printing come from here.

    >>> from phosphene.objectives import Channel, L2
    >>> objective = Channel("conv2", (3, 17)) - 0.1 * L2()
    >>> Term.from_json(objective.to_json()) == objective
    True
    """

    tag: ClassVar[str] = "type"
    called: ClassVar[str] = "objective"
    error: ClassVar[type[PhospheneError]] = ObjectiveError
    batched: ClassVar[tuple[str, ...]] = ()
    """The fields that may hold one value per image."""

    def __post_init__(self) -> None:
        """Make plain integers of all that counts as one; raises `ObjectiveError` for the rest."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name in self.batched and (value is not None or field.default is not None):
                object.__setattr__(self, field.name, _integers(value, type(self), field.name))

    @property
    @abstractmethod
    def layers(self) -> frozenset[str]:
        """The layers that must be recorded."""

    @abstractmethod
    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """The score of each image."""

    @property
    def batch(self) -> int | None:
        """How many images the objective is made for, or None if it fits any number."""
        sizes = {len(v) for f in self.batched if isinstance(v := getattr(self, f), tuple)}
        if len(sizes) > 1:
            raise ObjectiveError(
                f"{self} holds {sorted(sizes)} values for its images; expected one"
            )
        return next(iter(sizes), None)

    def take(self, images: Sequence[int]) -> "Term":
        """The same objective for a selection of its images."""
        changes = {
            f: tuple(value[i] for i in images)
            for f in self.batched
            if isinstance(value := getattr(self, f), tuple)
        }
        return dataclasses.replace(self, **changes) if changes else self  # type: ignore[type-var]

    def __add__(self, other: "Term") -> "Term":
        return Combination.of((1.0, self), (1.0, other))

    def __radd__(self, other: float) -> "Term":
        """0 + objective is the objective, so that `sum` adds objectives up."""
        if isinstance(other, Real) and other == 0:
            return self
        return NotImplemented

    def __sub__(self, other: "Term") -> "Term":
        return Combination.of((1.0, self), (-1.0, other))

    def __mul__(self, weight: float) -> "Term":
        if not isinstance(weight, Real):
            return NotImplemented
        return Combination.of((float(weight), self))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Term":
        return self * (1.0 / divisor)

    def __neg__(self) -> "Term":
        return self * -1.0


class LayerTerm(Term):
    """Base of the objectives about one layer."""

    layer: str

    @property
    def layers(self) -> frozenset[str]:
        """The one layer."""
        return frozenset((self.layer,))


@dataclass(frozen=True)
class Combination(Term):
    """A weighted sum of objectives; made by `+`, `-` and `*`."""

    terms: tuple[tuple[float, Term], ...]

    @classmethod
    def of(cls, *weighted: tuple[float, Term]) -> "Combination":
        """Flatten nested sums and add up the weights of equal terms."""
        total: dict[Term, float] = {}
        for weight, term in weighted:
            if not isinstance(term, Term):
                raise ObjectiveError(f"{term!r} cannot be added to an objective; expected one")
            inner = term.terms if isinstance(term, Combination) else ((1.0, term),)
            for factor, part in inner:
                total[part] = total.get(part, 0.0) + weight * factor
        return cls(tuple((w, t) for t, w in total.items()))

    @property
    def layers(self) -> frozenset[str]:
        """Those of all terms."""
        return frozenset().union(*(term.layers for _, term in self.terms))

    @property
    def batch(self) -> int | None:
        """The one number of images that the terms agree on."""
        sizes = {size for _, term in self.terms if (size := term.batch) is not None}
        if len(sizes) > 1:
            raise ObjectiveError(f"the terms of {self} are for {sorted(sizes)} images")
        return next(iter(sizes), None)

    def take(self, images: Sequence[int]) -> "Combination":
        """Every term for a selection of the images."""
        return Combination(tuple((w, term.take(images)) for w, term in self.terms))

    def __call__(self, recording: Recording) -> Float[Tensor, "b"]:
        """Sum of weight times score."""
        scores = [weight * term(recording) for weight, term in self.terms]
        return sum(scores[1:], start=scores[0])

    def __repr__(self) -> str:
        return self._written(repr)

    def __str__(self) -> str:
        return self._written(str)

    @property
    def identity(self) -> str:
        """The code that makes it; see `phosphene.values.identity`."""
        return self._written(identity)

    def _written(self, write: Any) -> str:
        text = ""
        for i, (weight, term) in enumerate(self.terms):
            sign = "-" if weight < 0 else ("+" if i else "")
            factor = "" if abs(weight) == 1 else f"{abs(weight)!r} * "
            text += f" {sign} {factor}{write(term)}" if i else f"{sign}{factor}{write(term)}"
        # A lone weight of one would read back as the term itself.
        return text if len(self.terms) > 1 or self.terms[0][0] != 1 else f"1.0 * {text}"

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Combination":
        """The sum as `of` makes it, whatever the document has nested; see `Value.read`."""
        return cls.of(*super().read(told).terms)


def _integers(value: Any, kind: type[Term], field: str) -> int | tuple[int, ...]:
    try:
        if isinstance(value, tuple):
            return tuple(index(number) for number in value)
        return index(value)
    except TypeError:
        raise ObjectiveError(
            f"{field} {value!r:.80} of {kind.__name__}; expected an integer, or a tuple with one "
            "for each image (the number of a class is network.classes.index(label))"
        ) from None
