"""Tell rows of questions from rows of places: what a transformer's decoder asks with is no map.

A hundred queries that a network has learned are as many tokens as a grid of 10 x 10, but they have
no place in the picture. While a pass runs, what comes from the picture is followed from operation
to operation; in an attention the rows of the outcome are those of the one who asks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from phosphene.network.calls import Calls

Rows = Literal["picture", "queries"]

_ASKING = {"multi_head_attention_forward", "scaled_dot_product_attention", "bmm", "matmul",
           "__matmul__", "_native_multi_head_attention"}  # fmt: skip
"""Functions whose outcome has the rows of their first argument."""

_MATRIX = 2

_SWALLOWS = {
    "gt", "lt", "ge", "le", "eq", "ne", "__gt__", "__lt__", "__ge__", "__le__", "__eq__", "__ne__",
    "argmax", "argmin", "argsort", "topk", "sort", "kthvalue", "median", "mode", "nonzero",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "nan_to_num", "nan_to_num_", "fmax", "fmin",
    "nansum", "nanmean", "nanmedian", "grid_sample", "grid_sampler", "searchsorted", "bucketize",
    "histc", "long", "int", "bool", "byte", "short", "isnan", "isfinite", "sign", "heaviside",
    "__bool__", "item", "tolist", "numpy", "one_hot", "bernoulli", "multinomial",
}  # fmt: skip
"""Functions that decide by a value, or pass over NaN: what depends on it may not become NaN."""


_NO_LAYERS = frozenset[int]()


class Origin(NamedTuple):
    """Where a value comes from: its rows, and the layers it is made of with no other between."""

    rows: Rows | None = None
    sources: frozenset[int] = _NO_LAYERS


_NOWHERE = Origin()


class Followed(Calls):
    """While it holds, it is known of each value whether its rows come from the picture."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__()
        self._origins: Any = WeakIdKeyDictionary()
        self._origins[pictures] = Origin("picture")
        self.calls = 0  # of modules, as far as the observer has come
        self.swallowed: int | None = None

    def origin(self, value: Tensor) -> Origin:
        """Where a value comes from, its layers by their numbers; no rows without the picture."""
        found: Origin = self._origins.get(value, _NOWHERE)
        return found

    def is_layer(self, value: Tensor, number: int) -> None:
        """From now on a value, and what is made of it, is made of this layer."""
        self._origins[value] = Origin(self.origin(value).rows, frozenset({number}))

    def of_places(self, value: Tensor, axis: int) -> bool:
        """Whether the rows of a module's value come from the picture.

        What was made out of sight, in scripted code or a custom function, is told by whether it
        differs from picture to picture.
        """
        rows, sources = self.origin(value)
        if rows is None:
            first, second = value.movedim(axis, 0)[:1], value.movedim(axis, 0)[1:2]
            if not len(second) or torch.equal(first, second):
                return False
            self._origins[value] = Origin("picture", sources)
        return rows != "queries"

    def call(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        result = func(*args, **kwargs)
        if isinstance(result, torch.Size):
            return result
        given = _tensors(args) + (_tensors(kwargs.values()) if kwargs else [])
        origins = [self.origin(tensor) for tensor in given]
        if any(found is not _NOWHERE for found in origins):
            self._follow(str(getattr(func, "__name__", func)), given, origins, result)
        return result

    def _follow(
        self, name: str, given: Sequence[Tensor], origins: Sequence[Origin], result: Any
    ) -> None:
        """Note where what a function made of `given` comes from."""
        known = [found.rows for found in origins]
        sources = _NO_LAYERS.union(*[found.sources for found in origins])
        if any(known) and name in _SWALLOWS and self.swallowed is None:
            self.swallowed = self.calls
        for made in _tensors((result, given[0] if name == "__setitem__" else None)):
            before = _NOWHERE if any(known) and sources else self.origin(made)
            rows = self._made(name, given, known, made) if any(known) else before.rows
            self._origins[made] = Origin(rows, sources or before.sources)

    def _made(
        self, name: str, given: Sequence[Tensor], known: Sequence[Rows | None], made: Tensor
    ) -> Rows:
        asking = name in _ASKING and given[0].ndim > _MATRIX
        if asking:
            return known[0] or "queries"
        found = {rows for rows in known if rows}
        if len(found) == 1:
            return found.pop()
        like = [r for t, r in zip(given, known, strict=True) if r and t.shape == made.shape]
        return "queries" if "queries" in like else "picture"


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
