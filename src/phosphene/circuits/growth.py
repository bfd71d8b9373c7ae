"""A circuit grows: at each step the unit joins that raises the target most beside those in it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.circuits.sets import Kept, Sets

_NOTHING = 1e-6  # of the whole response: less is not told from nothing


def greedy(
    run: Sets,
    score: Float[Tensor, "b units"],
    ends: tuple[Float[Tensor, "b"], Float[Tensor, "b"]],
    keep: float,
    candidates: int | None,
) -> Int[Tensor, "b units"]:
    """All units of each picture in the order in which they join.

    Steps are taken until every picture has `keep` of its response, in shares of what lies between
    the `ends`, the target with none and with all. `candidates` are tried at each; the rest follow
    by what they promised when tried last.
    """
    none, all_ = ends
    scale = torch.where(all_ == none, 1, all_ - none)[:, None]
    first = promised(run, score, scale)
    promise, kept = first.clone(), torch.zeros_like(score, dtype=torch.bool)
    reached = torch.zeros_like(none)
    order: list[Tensor] = []
    while len(order) < score.shape[1] and bool((reached < keep).any()):
        tries = min(candidates or score.shape[1], score.shape[1] - len(order))
        some = _largest(promise, kept)[:, :tries]
        value = (run(kept[:, None] | _one_of(some, kept)) - none[:, None]) / scale
        gain = value - reached[:, None]
        promise = promise.scatter(1, some, gain)
        best = some.gather(1, gain.argmax(1, keepdim=True))
        stuck = gain.amax(1, keepdim=True).abs() < _NOTHING
        chosen = torch.where(stuck, _largest(first, kept)[:, :1], best)
        kept = kept.scatter(1, chosen, True)
        reached = (run(kept[:, None])[:, 0] - none) / scale[:, 0]
        order.append(chosen)
    rest = _largest(promise, kept)[:, : score.shape[1] - len(order)]
    return torch.cat([*order, rest], 1)


def promised(
    run: Sets, score: Float[Tensor, "b units"], scale: Float[Tensor, "b 1"]
) -> Float[Tensor, "b units"]:
    """What each unit promises at first: the most of its score, its removal and its keeping.

    One number is fooled by what is saturated, redundant or joint, so a unit's best counts.
    """
    each = torch.eye(score.shape[1], dtype=torch.bool).expand(len(score), -1, -1)
    ends = torch.zeros_like(each[:, :1])
    alone, others = run(torch.cat([ends, each], 1)), run(torch.cat([~ends, ~each], 1))
    kept, removed = alone[:, 1:] - alone[:, :1], others[:, :1] - others[:, 1:]
    return torch.stack([score / scale, kept / scale, removed / scale]).amax(0)


def _largest(values: Float[Tensor, "b units"], but: Kept) -> Int[Tensor, "b units"]:
    """The units by their values, those that are in already last."""
    return values.masked_fill(but, -torch.inf).argsort(dim=1, descending=True, stable=True)


def _one_of(some: Int[Tensor, "b n"], like: Kept) -> Tensor:
    return F.one_hot(some, like.shape[1]).bool()
