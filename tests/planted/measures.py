"""Naive measures of what a target is made of: each a callable from a planted network to numbers.

What it gives back has the units of the source layer on its last axis and any axes before it. The
ones that start from a baseline start from zero unless they say otherwise.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from planted.running import Bench, edited, source_of, target_of
from planted.truth import Planted

Measure = Callable[[Planted], Tensor]

STEPS = 16
"""Points on the path of `integrated`."""


def _slope(planted: Planted, module: nn.Module, values: Tensor, pictures: Tensor) -> Tensor:
    """dt/da at `values` (units first) in the source layer: (b, units, places)."""
    leaf = values.detach().clone().requires_grad_()
    with edited(module, {planted.source: lambda out: leaf.movedim(1, planted.axis)}):
        t = target_of(planted, module, pictures)
        (found,) = torch.autograd.grad(t.sum(), leaf)
    return found.flatten(2)


def _asked(planted: Planted) -> tuple[nn.Module, Tensor]:
    module = planted.make()
    return module, source_of(planted, module, planted.pictures)


def gradient_from_zero(planted: Planted) -> Tensor:
    """sum_p a g."""
    module, a = _asked(planted)
    return (a.flatten(2) * _slope(planted, module, a, planted.pictures)).sum(2)


def gradient_averaged(planted: Planted) -> Tensor:
    """The mean of sum_p a g over the pictures asked about: edges "in general" by their mean."""
    return gradient_from_zero(planted).mean(0)


def gradient_from_mean(planted: Planted) -> Tensor:
    """sum_p (a - mean of a over the data) g."""
    module, a = _asked(planted)
    mean = source_of(planted, module, planted.data).flatten(2).mean((0, 2))
    return ((a.flatten(2) - mean[:, None]) * _slope(planted, module, a, planted.pictures)).sum(2)


def absolute(planted: Planted) -> Tensor:
    """sum_p |a| |g|."""
    module, a = _asked(planted)
    return (a.flatten(2).abs() * _slope(planted, module, a, planted.pictures).abs()).sum(2)


def integrated(planted: Planted) -> Tensor:
    """sum_p a times the mean of g on the straight path from zero."""
    module, a = _asked(planted)
    slopes = [
        _slope(planted, module, a * (step + 0.5) / STEPS, planted.pictures) for step in range(STEPS)
    ]
    return (a.flatten(2) * torch.stack(slopes).mean(0)).sum(2)


def guided(planted: Planted) -> Tensor:
    """sum_p a g where rectifiers hand back no negative gradient; others have their slope."""
    module, a = _asked(planted)
    for gate in module.modules():
        if isinstance(gate, nn.ReLU):
            gate.register_full_backward_hook(lambda m, found, given: (found[0].clamp(min=0),))
    return (a.flatten(2) * _slope(planted, module, a, planted.pictures)).sum(2)


def coactivation(planted: Planted) -> Tensor:
    """The correlation over the data of a unit's strongest value with the target."""
    module = planted.make()
    a = source_of(planted, module, planted.data).flatten(2).amax(2)
    with torch.no_grad():
        t = target_of(planted, module, planted.data)
    a, t = a - a.mean(0), t - t.mean()
    norm = a.norm(dim=0) * t.norm()
    return torch.where(norm > 1e-6, (a * t[:, None]).sum(0) / norm.clamp(min=1e-6), 0.0)


def wires(planted: Planted) -> Tensor:
    """1 where weights lead from the unit to the target, by the slope with all gates open.

    Weights are made positive, biases 0. Attention and norms have no slope where all values are
    alike, so what goes in and the sizes of the weights are all different.
    """
    module, a = _asked(planted)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            size = torch.zeros_like(weight) if name.endswith("bias") else _uneven(weight)
            weight.copy_(weight.abs() * size)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
    found = _slope(planted, module, _uneven(a[:1]) / 100, planted.pictures[:1])
    return (found != 0).any(2).float()


def _uneven(like: Tensor) -> Tensor:
    """1, 1.1, 1.2, … in the shape of `like`."""
    return 1 + torch.arange(float(like.numel())).view_as(like) / 10


def removal(planted: Planted) -> Tensor:
    """t(x) - t(x; a_i <- 0)."""
    bench = Bench(planted)
    return torch.tensor(bench.facts((0.0,) * len(bench.units)).removed)


def keeping(planted: Planted) -> Tensor:
    """t(x; all others <- 0) - t(x; all <- 0)."""
    bench = Bench(planted)
    return torch.tensor(bench.facts((0.0,) * len(bench.units)).kept)


def raising(planted: Planted) -> Tensor:
    """t(x; a_i <- its 99 % quantile over the data) - t(x)."""
    bench = Bench(planted)
    return torch.tensor(bench.raised(_high(bench)))


def three_from_zero(planted: Planted) -> Tensor:
    """Remove, keep and raise, one after another."""
    return torch.stack([removal(planted), keeping(planted), raising(planted)])


def three_from_mean(planted: Planted) -> Tensor:
    """Remove and keep from the mean over the data, and raise."""
    bench = Bench(planted)
    facts = bench.facts(tuple(bench.values.transpose(0, 1).flatten(1).mean(1).tolist()))
    return torch.tensor([facts.removed, facts.kept, bench.raised(_high(bench))])


def _high(bench: Bench) -> tuple[float, ...]:
    return tuple(bench.values.transpose(0, 1).flatten(1).quantile(0.99, dim=1).tolist())


MEASURES: Mapping[str, Measure] = {
    "a x gradient, zero": gradient_from_zero,
    "a x gradient, averaged": gradient_averaged,
    "a x gradient, mean": gradient_from_mean,
    "abs x abs": absolute,
    "integrated": integrated,
    "guided": guided,
    "co-activation": coactivation,
    "wires": wires,
    "remove": removal,
    "keep": keeping,
    "raise": raising,
    "remove, keep and raise": three_from_zero,
    "remove, keep and raise, mean": three_from_mean,
}
"""By the names that `Planted.fools` knows them by."""
