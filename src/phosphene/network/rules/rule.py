"""Backward rules: what operations hand back in the place of their derivative.

A rule is a table from kinds of operation to what replaces them; the derivative holds for what is
not in it. Rectifiers have gates, see `rectifiers`:

| rule     | looks forward | looks back | source                                          |
|----------|---------------|------------|-------------------------------------------------|
| plain    | yes           | no         | the derivative                                  |
| deconvnet| no            | yes        | Zeiler & Fergus 2013, arXiv 1311.2901, sec. 2.1 |
| guided   | yes           | yes        | Springenberg et al. 2014, arXiv 1412.6806, fig 1|
| straight | no            | no         | straight-through; wakes units no gradient reaches|

Other kinds of operation have a `Replacement`, as in `linear`. A rule is a context: while it holds,
every call of such an operation (module, functional, method, in-place, reused) is replaced. What it
could not replace is found in the autograd graph and refused; a plain gradient is never passed off
as something else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from phosphene.errors import NetworkError, RectifierError
from phosphene.network.calls import Calls
from phosphene.network.rules.masks import Marks
from phosphene.network.rules.operations import Operation, operation
from phosphene.network.rules.rectifiers import Gates, Rectify, rectifies
from phosphene.network.rules.replaced import Replaced, Replacement
from phosphene.network.rules.switches import graph, switched

Uncaught = Callable[[Iterable[Tensor], Tensor], str | None]
"""What between the pictures and some values a rule cannot be applied to, in words."""


def _no_plain_rectifier(values: Iterable[Tensor], pictures: Tensor) -> str | None:
    said = switched(values, pictures)
    return None if said is None else f"is defined for ReLU, and {said}"


@dataclass(frozen=True)
class Rule:
    """What replaces the backward pass of which operations.

    `gates` are those of rectifiers; `table` has what stands in for other kinds of operation.
    `uncaught` finds what would make the outcome something else than the rule.
    """

    name: str
    gates: Gates | None = None
    table: Mapping[Operation, Replacement] = field(default_factory=dict, hash=False)
    uncaught: Uncaught = _no_plain_rectifier

    def __str__(self) -> str:
        return self.name

    @property
    def plain(self) -> bool:
        """Whether it replaces nothing."""
        return self.gates is None and not self.table


PLAIN = Rule("plain")
DECONVNET = Rule("deconvnet", Gates(forward=False, backward=True))
GUIDED = Rule("guided", Gates(forward=True, backward=True))
STRAIGHT = Rule("straight", Gates(forward=False, backward=False))


@contextmanager
def backward_rule(rule: Rule, careful: bool = False) -> Iterator[None]:
    """While it holds, operations called in this thread send gradients back by `rule`.

    If `careful`, a closed gate lets nothing through that is not a number either, which takes
    longer.

    Raises:
        RectifierError: the network recomputes parts of itself on the way back, out of reach.
    """
    if rule.plain:
        yield
        return
    with nothing_recomputed(f"the rule {rule.name!r}", RectifierError), _Replacing(rule, careful):
        yield


@contextmanager
def nothing_recomputed(what: str, error: type[NetworkError] = NetworkError) -> Iterator[None]:
    """Raise `error`, about `what`, if a pass leaves parts of itself to be computed on the way back.

    There neither rules nor replaced values hold.
    """
    recomputes = (
        f"{what} cannot reach what this network computes anew on the way back "
        "(checkpointing, or other hooks on saved tensors); "
        "switch it off for the study, or ask for the plain gradient of the pictures"
    )
    try:
        with torch.autograd.graph.disable_saved_tensors_hooks(recomputes):
            yield
    except RuntimeError as failure:
        if recomputes not in str(failure):
            raise
        raise error(recomputes) from failure


def refuse_uncaught(rule: Rule, values: Iterable[Tensor], pictures: Tensor) -> None:
    """Raise `RectifierError` if what lies between `pictures` and `values` escaped `rule`.

    What is let through is told by the rule: for rectifiers see `switches`.
    """
    if rule.plain:
        return
    values = list(values)
    for node in graph(values, pictures):
        custom = isinstance(node, BackwardCFunction)
        if custom and not isinstance(node, (Rectify._backward_cls, Replaced._backward_cls)):
            raise RectifierError(
                f"the rule {rule.name!r} cannot see inside the custom autograd function "
                f"{node.name()!r} (checkpointing and compiled parts look like this too); "
                "switch it off for the study, or ask for the plain gradient"
            )
    said = rule.uncaught(values, pictures)
    if said is not None:
        raise RectifierError(
            f"the rule {rule.name!r} {said}. Ask for the plain gradient or integrated gradients"
        )


class _Replacing(Calls):
    """Swaps calls of operations for what the rule has, and follows what masks are made of."""

    def __init__(self, rule: Rule, careful: bool) -> None:
        super().__init__()
        self.gates, self.table, self.careful = rule.gates, rule.table, careful
        self.marks = Marks()

    def call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        kind = operation(func) if self.table else None
        if kind is not None and kind in self.table:
            return self.table[kind](func, args, kwargs)
        return func(*args, **kwargs) if self.gates is None else self._gated(func, args, kwargs)

    def _gated(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        name = _name(func)
        found = None if name == _PROPERTY else rectifies(func, name, args, kwargs, self.marks)
        if found is not None:
            x, bounds, in_place = found
            made = Rectify.apply(  # type: ignore[no-untyped-call]
                x, bounds, self.gates, in_place, self.careful
            )
            self.marks.follow("rectify_" if in_place else "rectify", [x], {}, made)
            return None if name == "__setitem__" else made
        result = func(*args, **kwargs)
        if (isinstance(result, _MAY_HOLD_TENSORS) and not isinstance(result, torch.Size)) or (
            name == "__setitem__"
        ):
            self.marks.follow(name, args, kwargs, result)
        return result


_MAY_HOLD_TENSORS = (Tensor, tuple, list)

_PROPERTY = "__get__"
"""What a look at a tensor's shape, type or place is called: as frequent as all else together."""


def _name(func: Callable[..., Any]) -> str:
    """What a function is called, without the overload that `torch.ops` adds."""
    return str(getattr(func, "__name__", func)).partition(".")[0]
