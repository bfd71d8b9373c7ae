"""One pass forward, and one back for each objective."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from phosphene.attribution.starts import Start
from phosphene.errors import ObjectiveError
from phosphene.network import Rule, backward_rule, frozen, refuse_uncaught
from phosphene.objectives import Term


def gradients(start: Start, objectives: Sequence[Term], rule: Rule) -> list[Tensor]:
    """The gradient of the start's values for each objective; what is not a number is said."""
    maps = _passes(start, objectives, rule)
    guided = rule.gates is not None and rule.gates.forward and rule.gates.backward
    if guided and any(_no_numbers(found) for found in maps):
        maps = _passes(start, objectives, rule, careful=True)
    for objective, found in zip(objectives, maps, strict=True):
        if bad := _no_numbers(found):
            warnings.warn(
                f"the gradient of {objective} is not a number for {len(bad)} of {len(found)} "
                f"pictures (number {', '.join(map(str, bad[:9]))}{', …' * (len(bad) > 9)}): the "
                "network has no slope there, as the root or the logarithm of 0 and 0 / 0 have "
                "none. Leave these pictures out; the maps of the others are right",
                stacklevel=4,
            )
    return maps


def _no_numbers(maps: Tensor) -> list[int]:
    """Which maps hold what is not a number."""
    if not maps.sum().isnan():
        return []
    return maps.isnan().flatten(1).any(1).nonzero().flatten().tolist()


def _passes(
    start: Start, objectives: Sequence[Term], rule: Rule, careful: bool = False
) -> list[Tensor]:
    """The gradient for each objective, after one pass forward for all."""
    leaf = start.values.detach().clone().requires_grad_()
    layers = {layer for objective in objectives for layer in objective.layers}
    maps: list[Tensor] = []
    with torch.enable_grad(), frozen(start.network.module):  # checkpointing runs the module again
        with backward_rule(rule, careful):
            recording = start.record(leaf, layers)
        refuse_uncaught(rule, recording.values(), leaf)
        for objective in objectives:
            score = objective(recording)
            last = objective is objectives[-1]
            found = _slope(score, leaf, last) if score.requires_grad else None
            if found is None:
                raise ObjectiveError(start.independent(objective))
            maps.append(found)
    return maps


def _slope(score: Tensor, leaf: Tensor, last: bool) -> Tensor | None:
    """The gradient of a score; None where it has none, as through quantised layers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*autograd kernel was not registered")
        try:
            return torch.autograd.grad(score.sum(), leaf, retain_graph=not last, allow_unused=True)[
                0
            ]
        except UserWarning:
            return None
