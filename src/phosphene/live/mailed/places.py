"""Operations that only move numbers: axes exchanged, parts, copies."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils._pytree import tree_leaves

from phosphene.live.mailed.program import Op
from phosphene.live.mailed.spelling import (
    BEFORE,
    Given,
    Spell,
    Spelled,
    is_made,
    number_of,
    one_picture,
)

NOWHERE = -1
"""The place of a number that is zero."""

SpellParts = Callable[[Given, list[Tensor], tuple[Any, ...], dict[str, Any]], Sequence[Op] | None]
"""The operations that give several tensors, one for each."""


def moved(func: Any) -> Spell:
    """What `func` does to places, done to numbers."""

    def spell(
        given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Op | None:
        found = parted(func)(given, [out], args, kwargs)
        return found[0] if found else None

    return spell


def parted(func: Any) -> SpellParts:
    """The same of what gives several values, an operation for each."""

    def spell(
        given: Given, outs: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[Op] | None:
        x, *more = args
        if not is_made(given, x) or any(
            is_made(given, each) for each in tree_leaves((more, kwargs))
        ):
            return None
        places = torch.arange(x.numel(), dtype=torch.double, device=x.device).view(x.shape)
        found = func(places, *more, **kwargs)
        parts = list(found) if isinstance(found, tuple | list) else [found]
        return [_move(given, x, out, part.long()) for out, part in zip(outs, parts, strict=True)]

    return spell


def joined(func: Any) -> Spell:
    """Values and constants one after the other, and along another axis than the first so moved."""

    def spell(given: Given, out: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Spelled:
        parts, *dim = args
        names = [None if is_made(given, part) else f"part{i}" for i, part in enumerate(parts)]
        pairs = list(zip(names, parts, strict=True))
        takes = tuple(number_of(given, part) for name, part in pairs if name is None)
        constants = {name: part.detach().float().reshape(-1) for name, part in pairs if name}
        op = Op("join", takes, one_picture(out), {"parts": names}, constants)
        begin, places = 0, []
        for part in parts:
            places.append(begin + torch.arange(part.numel(), device=out.device).view(part.shape))
            begin += part.numel()
        after = move(BEFORE, out, func(places, *dim, **kwargs), begin)
        return op if after.kind == "same" else [op, after]

    return spell


def padded(given: Given, x: Tensor, out: Tensor, border: Sequence[int], value: float) -> Op | None:
    """A border of zeros along any axes, or a part without its border."""
    if not is_made(given, x) or value != 0:
        return None
    places = torch.arange(x.numel(), device=x.device).view(x.shape)
    return _move(given, x, out, torch.constant_pad_nd(places, list(border), NOWHERE))


def repeated(given: Given, x: Tensor, out: Tensor) -> Op:
    """A value that is repeated where it is smaller than `out`."""
    places = torch.arange(x.numel(), device=x.device).view(x.shape)
    return _move(given, x, out, places.expand(out.shape))


def _move(given: Given, x: Tensor, out: Tensor, places: Int[Tensor, "..."]) -> Op:
    return move(number_of(given, x), out, places, x.numel())


def move(value: int, out: Tensor, places: Int[Tensor, "..."], count: int) -> Op:
    """The numbers of a value, of which there are so many, at some places."""
    flat = places.reshape(-1)
    if torch.equal(flat, torch.arange(count, device=flat.device)):
        return Op("same", (value,), one_picture(out))
    return Op("move", (value,), one_picture(out), _even(places) or {"from": flat.tolist()})


def _even(places: Int[Tensor, "..."]) -> dict[str, Any] | None:
    """Where the first is and how far it is to the next along each axis, if that says all."""
    if not places.numel() or bool((places == NOWHERE).any()):
        return None
    begin = int(places.reshape(-1)[0])
    strides = []
    expected = torch.full_like(places, begin)
    for axis, extent in enumerate(places.shape):
        several = places.select(axis, min(1, extent - 1)).reshape(-1)[0]
        strides.append(int(several) - begin if extent > 1 else 0)
        steps = torch.arange(extent, device=places.device) * strides[-1]
        expected = expected + steps.view(-1, *[1] * (places.ndim - 1 - axis))
    if not torch.equal(expected, places):
        return None
    return {"begin": begin, "sizes": tuple(places.shape), "strides": tuple(strides)}
