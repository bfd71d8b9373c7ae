"""Masks over kernels are learnt: which kernels a unit's map needs together."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from phosphene.circuits.gates import Gated
from phosphene.errors import InputError
from phosphene.progress import counted

RATE = 0.05
"""Of Adam. Numbers begin with the ranks of the scores, which reach over 1."""

_WARM, _COLD = 0.3, 0.01  # how far about the threshold gates are half open, at first and at last
_COOLING = 0.8  # of the steps
_SETTLING = 0.3  # of the steps, over which the rate goes down at the end
_HALVINGS = 30  # of where the threshold may be
_CHECKED, _CHECKS = 64, 20  # pictures that masks are compared on, and how often


def correlation(one: Float[Tensor, "*n"], other: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Pearson's, of all numbers; 0 where those of one are all the same."""
    a, b = (values - values.mean() for values in (one, other))
    norms = a.norm() * b.norm()
    found: Tensor = (a * b).sum() / norms.clamp_min(torch.finfo(norms.dtype).tiny)
    return found


def difference(one: Float[Tensor, "*n"], other: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """The mean square of what they are apart, in shares of the other's variance."""
    found: Tensor = (one - other).square().mean() / other.var(correction=0)
    return found


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "correlation": lambda part, whole: 1 - correlation(part, whole),
    "difference": difference,
}
"""What masks may be learnt by: how far a map is from what it was, whatever its scale, or at all."""


def learnt(
    gated: Gated,
    pictures: Float[Tensor, "n c h w"],
    scores: Mapping[str, Float[Tensor, "out ins"]],
    share: float,
    *,
    steps: int,
    size: tuple[int, int] | None,
    together: int,
    by: str,
    seed: int,
) -> dict[str, Float[Tensor, "out ins"]]:
    """A number for each kernel: the share with the highest keeps most of the unit's map."""
    cut = _Cut(pictures, size, torch.Generator().manual_seed(seed))
    loss = _Loss(gated, scores, share, cut(max(_CHECKED, together)).split(together), by)
    numbers = _ranks(scores).requires_grad_()
    optimizer = torch.optim.Adam([numbers], lr=RATE, betas=(0.9, 0.99))
    best, least = numbers.detach().clone(), loss.checked(numbers)
    for step in counted(range(steps)):
        optimizer.param_groups[0]["lr"] = RATE * max(0.02, min(1, (1 - step / steps) / _SETTLING))
        optimizer.zero_grad()
        loss(cut(together), loss.soft(numbers, _temperature(step / steps))).backward()
        optimizer.step()
        settled = step + 1 > (1 - _SETTLING) * steps
        if settled and (step + 1 == steps or step % max(1, steps // _CHECKS) == 0):
            found = loss.checked(numbers)
            if found < least:
                best, least = numbers.detach().clone(), found
    return loss.apart(best)


class _Loss:
    """How far a unit's map under gates is from its map under none, in one of the `DISTANCES`."""

    def __init__(
        self,
        gated: Gated,
        scores: Mapping[str, Tensor],
        share: float,
        shown: Sequence[Float[Tensor, "b c h w"]],
        by: str,
    ) -> None:
        self._distance = DISTANCES[by]
        self._gated, self._scores, self._shown = gated, scores, shown
        self._some = torch.cat([one.flatten() for one in scores.values()]) > 0
        self._count = max(1, round(share * int(self._some.sum())))
        with torch.no_grad():
            self._maps = maps = torch.cat([gated.map(some, {}) for some in shown])
        if maps.max() == maps.min():
            raise InputError(
                f"{gated.unit} has the same value everywhere on these pictures, so that there is "
                "no map to keep; give pictures that it answers to"
            )

    def __call__(self, shown: Tensor, gates: Float[Tensor, "kernels"]) -> Float[Tensor, ""]:
        with torch.no_grad():
            whole = self._gated.map(shown, {})
        return self._distance(self._gated.map(shown, self.apart(gates)), whole)

    @torch.no_grad()
    def checked(self, numbers: Float[Tensor, "kernels"]) -> float:
        """That of the share with the highest numbers, on the same pictures each time."""
        order = numbers.masked_fill(~self._some, -torch.inf).argsort(descending=True, stable=True)
        gates = self.apart(torch.zeros_like(numbers).index_fill(0, order[: self._count], 1.0))
        part = torch.cat([self._gated.map(some, gates) for some in self._shown])
        return float(self._distance(part, self._maps))

    def soft(
        self, numbers: Float[Tensor, "kernels"], temperature: float
    ) -> Float[Tensor, "kernels"]:
        """Gates σ((number - θ) / temperature), θ such that together the share is open."""
        known = numbers.detach()[self._some]
        low, high = known.min() - 10 * temperature, known.max() + 10 * temperature
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            more = ((known - middle) / temperature).sigmoid().sum() > self._count
            low, high = torch.where(more, middle, low), torch.where(more, high, middle)
        gates = ((numbers - (low + high) / 2) / temperature).sigmoid()
        return gates.masked_fill(~self._some, 0)

    def apart(self, numbers: Float[Tensor, "kernels"]) -> dict[str, Tensor]:
        """Numbers of all kernels in a row as those of each module."""
        parts = numbers.split([one.numel() for one in self._scores.values()])
        pairs = zip(self._scores.items(), parts, strict=True)
        return {path: part.view_as(one) for (path, one), part in pairs}


def _temperature(done: float) -> float:
    """From warm to cold, by the same factor each step, when so much is `done`."""
    return float(_WARM * (_COLD / _WARM) ** min(1.0, done / _COOLING))


def _ranks(scores: Mapping[str, Tensor]) -> Float[Tensor, "kernels"]:
    """The places of the kernels in the order of their scores, from 0 to 1."""
    flat = torch.cat([one.flatten() for one in scores.values()])
    return flat.argsort(stable=True).argsort().float() / max(1, len(flat) - 1)


class _Cut:
    """Draws pictures, and parts of them, at random."""

    def __init__(
        self, pictures: Float[Tensor, "n c h w"], size: tuple[int, int] | None, drawn: Generator
    ) -> None:
        height, width = pictures.shape[2:]
        self._pictures, self._drawn = pictures, drawn
        self._size = (height, width) if size is None else size
        if self._size[0] > height or self._size[1] > width:
            raise InputError(
                f"parts of {self._size[0]} x {self._size[1]} were to be cut out of pictures of "
                f"{height} x {width}; give a size that fits into them"
            )

    def __call__(self, count: int) -> Float[Tensor, "count c h w"]:
        height, width = self._size
        images = self._upto(len(self._pictures), count)
        tops = self._upto(self._pictures.shape[2] - height + 1, count)
        lefts = self._upto(self._pictures.shape[3] - width + 1, count)
        return torch.stack(
            [
                self._pictures[i, :, y : y + height, x : x + width]
                for i, y, x in zip(images.tolist(), tops.tolist(), lefts.tolist(), strict=True)
            ]
        )

    def _upto(self, end: int, count: int) -> Int[Tensor, "count"]:
        return torch.randint(0, end, (count,), generator=self._drawn)
