"""The kernels below a unit that its map needs, on all pictures: by score, or by learning masks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.circuits.alone import copied_module, like
from phosphene.circuits.gates import Gated, keep_kernels, map_of
from phosphene.circuits.masks import DISTANCES, correlation, difference, learnt
from phosphene.errors import InputError, ObjectiveError
from phosphene.network import Network
from phosphene.progress import telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, pictures_of, unit_of
from phosphene.units import Unit
from phosphene.words import percent, plural

_TOGETHER = 32  # pictures


@dataclass(frozen=True, eq=False)
class KernelCircuit(Result):
    """A share of the kernels below a unit, those that its map needs most.

    A kernel is a slice out x in of a convolution's weights, or a row of a dense layer's. All others
    are zero in it; biases and norms stay as they are.

    Args:
        network: the network whose kernels they are.
        unit: whose map is kept, before its rectifier where a layer holds that.
        share: of the kernels that make a difference to the unit, how many are kept.
        steps: of learning; 0 where kernels were chosen by their score.
        scores: by the path of a module, Σ over pictures of |Σ over the kernel of w ∂t/∂w|, where t
            is the unit's mean over its map with signs drawn for its places. (out, 1) for dense
            layers.
        kept: which kernels are kept, alike.
    """

    network: Network = field(repr=False)
    unit: Unit
    share: float
    steps: int
    scores: Mapping[str, Float[Tensor, "out ins"]]
    kept: Mapping[str, Bool[Tensor, "out ins"]]

    @property
    def count(self) -> int:
        """How many kernels are kept."""
        return sum(int(one.sum()) for one in self.kept.values())

    @property
    def below(self) -> int:
        """How many make a difference to the unit on the pictures that they were scored on."""
        return sum(int((one > 0).sum()) for one in self.scores.values())

    def alone(self) -> Network:
        """The circuit as a network of its own, whose other kernels are zero.

        It is a copy of the same class, whose layers have the same names.

        Raises:
            NetworkError: the module cannot be copied.
        """
        module = copied_module(self.network)
        keep_kernels(module, self.kept)
        name = f"{self.network.name}, {percent(self.share)} of the kernels for {self.unit}"
        return like(self.network, module, name)

    def correlation(self, pictures: Shown) -> float:
        """Pearson's correlation of the unit's values with and without the rest, over all places.

        Take pictures that the kernels were not chosen on. A map that has become the same
        everywhere has correlation 0. Scale and offset make no difference to it: see `explained`.
        """
        part, whole = self._maps(pictures)
        return float(correlation(part, whole))

    def explained(self, pictures: Shown) -> float:
        """1 - the mean squared difference of these values, in shares of the variance of the whole.

        1 where the circuit has the very values; below 0 where their mean would be nearer.
        """
        part, whole = self._maps(pictures)
        return 1 - float(difference(part, whole))

    @torch.no_grad()
    def _maps(self, pictures: Shown) -> tuple[Tensor, Tensor]:
        """The unit's values in the circuit and in the whole network."""
        shown = pictures_of(self.network, pictures).split(_TOGETHER)
        part, whole = (
            torch.cat([map_of(net, self.unit, some) for some in shown]).double()
            for net in (self.alone(), self.network)
        )
        return part, whole

    @property
    def summary(self) -> str:
        """How many kernels are kept, and of which layers."""
        layers = [
            f"{int(kept.sum())} of {int((self.scores[path] > 0).sum())} in {path}"
            for path, kept in self.kept.items()
        ]
        how = f"learnt in {plural(self.steps, 'step')}" if self.steps else "by their score"
        return (
            f"{self.unit}: {plural(self.count, 'kernel')} of {self.below:,} below it, {how}: "
            f"{', '.join(layers)}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: kept kernels as pairs of out and in."""
        return {
            "network": self.network.name,
            "unit": self.unit.to_json(),
            "share": self.share,
            "steps": self.steps,
            "count": self.count,
            "below": self.below,
            "kept": {path: kept.nonzero().tolist() for path, kept in self.kept.items()},
        }


def kernel_circuit(
    network: Model, pictures: Shown, unit: object, share: float = 0.2, *, seed: int = 0
) -> KernelCircuit:
    """Keep the share of the kernels below a unit that score highest over the pictures.

    A kernel's score is Σ over pictures of |Σ over the kernel of w ∂t/∂w|: what closing it does to
    t, to first order. t is the unit's mean over its map with a sign drawn for each place, so that
    what a kernel does at different places does not cancel. `learn_masks` goes on from there, and
    keeps far more of the map with as many kernels.

    Args:
        network: a network, a module, or what `load_network` takes. It is not changed.
        pictures: what is typical for the network, in any spelling; a hundred do.
        unit: a unit of any layer; a class. A place in it does not matter.
        share: of the kernels that make any difference to the unit, above 0 and up to 1.
        seed: of the signs.

    Raises:
        InputError: another share; pictures that do not fit.
        ObjectiveError: no convolution or dense layer below the unit makes a difference to it.
        NetworkError: the module cannot be copied.

    *Source:* Hamblin et al. 2022, arXiv 2206.01627, with |w ∂t/∂w| summed over the kernel before
    the magnitude is taken, and with signs (Hutchinson 1990) in the place of the map's mean.

    >>> from torch import nn
    >>> from phosphene.network import Input
    >>> net = Network(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 3)), Input(1, (8, 8)))
    >>> found = kernel_circuit(net, torch.rand(4, 1, 8, 8), "1:1", 0.5)
    >>> found.below, found.count
    (8, 4)
    """
    if not 0 < share <= 1:
        raise InputError(
            f"share={share} was given; give a share of the kernels, above 0 and up to 1"
        )
    net = network_of(network)
    shown = pictures_of(net, pictures)
    net.input.check_shape(shown)
    net.input.check_values(shown)
    aim = unit_of(net, unit)
    aim = Unit(aim.layer, aim.index)
    inside = net.before_rectifier(aim)
    aim = aim if inside is None else inside
    scores = kernel_scores(Gated(net, aim), shown, seed)
    if not any(bool(one.any()) for one in scores.values()):
        raise ObjectiveError(
            f"no kernel of a convolution or a dense layer makes a difference to {aim} on these "
            "pictures; give a unit of a later layer, or other pictures"
        )
    return KernelCircuit(net, aim, share, 0, scores, highest(scores, scores, share))


@telling("Masks learnt")
def learn_masks(
    found: KernelCircuit,
    pictures: Shown,
    steps: int = 300,
    *,
    size: tuple[int, int] | None = None,
    together: int = 12,
    by: str = "correlation",
    seed: int = 0,
) -> KernelCircuit:
    """The same share of kernels, chosen by learning which of them the unit's map needs together.

    Every kernel has a number x and a gate σ((x - θ) / T), with θ such that the asked share is open.
    The distance of the unit's map from what it is in the whole network goes down by Adam, while T
    goes from warm to cold, so that gates end open or closed. Numbers begin with the order of the
    scores. Of the masks at the end and the scores' own that one is given back which is nearest on
    64 of the pictures. Weights stay as they are.

    Args:
        found: what `kernel_circuit` found.
        pictures: many different ones; those that are to test it are not among them.
        steps: of Adam.
        size: of a part of a picture (h, w) that is cut out at random for each step, for speed;
            whole pictures unless given.
        together: how many a step sees.
        by: the distance. "correlation" is 1 - Pearson's, which leaves scale and offset free;
            "difference" is the mean squared difference in shares of the variance, which keeps the
            values themselves as far as it can, and less of the correlation.
        seed: of the pictures' order.

    Raises:
        InputError: no steps, another distance, pictures that do not fit, a part larger than they.
        SizeError: the network does not take such a part.

    *Source:* Savarese et al. 2020, arXiv 1912.04427 (gates that cool), with a threshold for the
    share in the place of a penalty. Hard-concrete gates (Louizos et al. 2018, arXiv 1712.01312),
    as far as we tuned them, kept less of the map in as many steps.
    """
    if steps < 1 or together < 1:
        raise InputError(f"{steps} steps of {together} pictures were asked for; give at least 1")
    if by not in DISTANCES:
        raise InputError(f"masks by {by!r} were asked for; there are {', '.join(DISTANCES)}")
    shown = pictures_of(found.network, pictures)
    found.network.input.check_shape(shown)
    found.network.input.check_values(shown)
    gated = Gated(found.network, found.unit)
    numbers = learnt(
        gated, shown, found.scores, found.share,
        steps=steps, size=size, together=together, by=by, seed=seed,
    )  # fmt: skip
    return replace(found, steps=steps, kept=highest(numbers, found.scores, found.share))


def kernel_scores(
    gated: Gated, pictures: Float[Tensor, "b c h w"], seed: int = 0
) -> dict[str, Float[Tensor, "out ins"]]:
    """What closing each kernel does to the map, to first order, summed over pictures.

    By a backward pass for each picture. Modules that are not below the unit are left out.
    """
    gates = {path: one.requires_grad_() for path, one in gated.open.items()}
    total: dict[str, Tensor] = {}
    signs = torch.Generator().manual_seed(seed)
    for picture in pictures:
        values = gated.map(picture[None], gates)
        drawn = torch.randint(0, 2, values.shape, generator=signs).to(values) * 2 - 1
        t = (values * drawn).mean()
        if not t.requires_grad:
            return {}
        slopes = torch.autograd.grad(t, list(gates.values()), allow_unused=True)
        for path, slope in zip(gates, slopes, strict=True):
            if slope is not None:
                total[path] = total.get(path, torch.zeros_like(slope)) + slope.abs()
    return total


def highest(
    numbers: Mapping[str, Tensor], scores: Mapping[str, Tensor], share: float
) -> dict[str, Bool[Tensor, "out ins"]]:
    """The share of kernels with the highest numbers, of those that have a score."""
    some = torch.cat([one.flatten() for one in scores.values()]) > 0
    flat = torch.cat([numbers[path].flatten() for path in scores])
    flat = flat.masked_fill(~some, -torch.inf)
    chosen = flat.argsort(descending=True, stable=True)[: max(1, round(share * int(some.sum())))]
    kept = torch.zeros_like(some).index_fill(0, chosen, True)
    parts = kept.split([one.numel() for one in scores.values()])
    return {
        path: part.view_as(one) for (path, one), part in zip(scores.items(), parts, strict=True)
    }
