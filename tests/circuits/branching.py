"""Random networks with skips, pooling, reuse and joined branches; and slow truths."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.network import Input, Network
from phosphene.objectives import Term, unit_maps
from tiny import seeded

INPUT = Input(3, (44, 40))


class Branching(nn.Module):
    """What the random numbers make of it; all of a score passes through each of `CUTS`."""

    def __init__(self, bias: bool, norm: bool) -> None:
        super().__init__()
        pool = [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.MaxPool2d(3, 2, 1)][int(torch.randint(3, ()))]
        side = 1 + 2 * int(torch.randint(2, ()))
        self.stem = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=bias), nn.ReLU(inplace=True), pool
        )
        self.twice = nn.Conv2d(6, 6, side, padding=side // 2, bias=bias)
        self.norm = nn.BatchNorm2d(6) if norm else nn.Identity()
        self.join = nn.Identity()
        self.left = nn.Conv2d(6, 4, 1, bias=bias)
        self.right = nn.Conv2d(6, 5, 3, padding=1, groups=1, bias=bias)
        self.both = Joined(self.left, self.right)
        self.last = nn.Conv2d(9, 7, 3, stride=2, bias=bias)
        self.out = nn.ReLU()
        self.head = nn.Linear(7, 4, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.relu(self.norm(self.twice(x)))
        x = self.join(F.relu(x + self.twice(y)))
        x = self.out(self.last(self.both(x)))
        return self.head(x.mean((2, 3)))


class Joined(nn.Module):
    """Two branches, each with its rectifier, beside each other: a fire module's end."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], 1)


CUTS = ("stem.0", "stem", "join", "both", "last", "out")


def branching(seed: int, bias: bool = True, norm: bool = True) -> Network:
    """The network of a seed; without bias it is linear where no gate changes."""
    return Network(seeded(lambda: Branching(bias, norm), seed), INPUT)


@contextmanager
def edited(network: Network, layer: str, edit: object) -> Iterator[None]:
    """A hook of the tests' own that puts `edit(value)` in the place of a layer's value."""
    site, calls = network.layer(layer).site, 0

    def hook(module: nn.Module, args: object, output: Tensor) -> Tensor | None:
        nonlocal calls
        calls += 1
        here = site.call is None or site.call == (calls - 1)
        picture = network.input.size
        if not here:
            return None
        changed = edit(site.read(output, picture))  # type: ignore[operator]
        return site.write(output, changed)  # type: ignore[no-any-return]

    handle = network.module.get_submodule(site.path).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def filled(values: Tensor, unit: int, level: float) -> Tensor:
    """Values with one unit at a level, at all places."""
    values = values.clone()
    unit_maps(values)[:, unit] = level
    return values


def one_by_one(net: Network, term: Term, layer: str, levels: Tensor, picture: Tensor) -> Tensor:
    """The target with each unit in turn at its level, a whole pass each."""
    found = []
    for unit, level in enumerate(levels.tolist()):
        with edited(net, layer, lambda v, unit=unit, level=level: filled(v, unit, level)):
            found.append(term(net.record(picture, term.layers)))
    return torch.cat(found).detach()


def slopes(net: Network, term: Term, layer: str, absent: Tensor, picture: Tensor) -> Tensor:
    """dt/ds at s = 1 with one unit at m + s (a - m) and all others as they are, unit by unit."""
    found = []
    for unit, level in enumerate(absent.tolist()):
        s = torch.ones((), requires_grad=True)

        def scaled(v: Tensor, unit: int = unit, level: float = level, s: Tensor = s) -> Tensor:
            v = v.detach()
            return v + (s - 1) * (v - filled(v, unit, level))

        with edited(net, layer, scaled), torch.enable_grad():
            t = term(net.record(picture, term.layers))
        found.append(torch.autograd.grad(t.sum(), s)[0])
    return torch.stack(found)
