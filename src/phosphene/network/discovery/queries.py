"""Tell rows of questions from rows of places: what a transformer's decoder asks with is no map.

A hundred queries that a network has learned are as many tokens as a grid of 10 x 10, but they have
no place in the picture. While a pass runs, what comes from the picture is followed from operation
to operation; in an attention the rows of the outcome are those of the one who asks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

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


class Followed(TorchFunctionMode):
    """While it holds, it is known of each value whether its rows come from the picture."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__()
        self._rows: Any = WeakIdKeyDictionary()
        self._rows[pictures] = "picture"
        self._sources: Any = WeakIdKeyDictionary()
        self.calls = 0  # of modules, as far as the observer has come
        self.swallowed: int | None = None

    def rows(self, value: Tensor) -> Rows | None:
        """Where a value's rows come from; None for one that the picture has no part in."""
        found: Rows | None = self._rows.get(value)
        return found

    def sources(self, value: Tensor) -> frozenset[int]:
        """The numbers of the layers that a value is made of, without another between them."""
        found: frozenset[int] = self._sources.get(value, frozenset())
        return found

    def is_layer(self, value: Tensor, number: int) -> None:
        """From now on a value, and what is made of it, is made of this layer."""
        self._sources[value] = frozenset({number})

    def of_places(self, value: Tensor, axis: int) -> bool:
        """Whether the rows of a module's value come from the picture.

        What was made out of sight, in scripted code or a custom function, is told by whether it
        differs from picture to picture.
        """
        if self.rows(value) is None:
            first, second = value.movedim(axis, 0)[:1], value.movedim(axis, 0)[1:2]
            if not len(second) or torch.equal(first, second):
                return False
            self._rows[value] = "picture"
        return self.rows(value) == "picture"

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Size):
            return result
        given = [*_tensors(args), *_tensors(list((kwargs or {}).values()))]
        name = str(getattr(func, "__name__", func))
        changed = [*_tensors(result), *(given[:1] if name == "__setitem__" else [])]
        sources = frozenset[int]().union(*map(self.sources, given))
        for made in changed if sources else ():
            self._sources[made] = sources
        known = [self.rows(tensor) for tensor in given]
        if any(known):
            if name in _SWALLOWS and self.swallowed is None:
                self.swallowed = self.calls
            for made in _tensors(result):
                self._rows[made] = self._made(name, given, known, made)
            if name == "__setitem__":
                self._rows[given[0]] = self._made(name, given, known, given[0])
        return result

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


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
