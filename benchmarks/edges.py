"""How well scores of edges agree with measurements: Pearson, recall and cost, layer by layer.

    PYTHONPATH=src .venv-zoo/bin/python benchmarks/edges.py MODEL PICTURES [--weights FILE]
        [--pairs features.4:features.6 …] [--units 6] [--pictures 128] [--random] [--out FILE.md]

MODEL and PICTURES are as `phosphene build` takes them. For each pair of layers some units of the
later one are taken, each on the picture that excites it most, and every unit of the earlier one is
removed. A column is the median over those of the correlation between removals and a score:

- `a g`: activation times gradient, from zero; what Captum calls LayerGradientXActivation, to which
  it is compared where Captum is installed
- `(a-m) g`: from the mean, our default
- `|a| |g|`: as papers on vision have it
- `guided`: a times guided backpropagation's gradient
- `steps`: gradients averaged over 16 points from the mean to the value
- `halfway`: slopes halfway to each unit's removal, units in four groups
- `RelP`: gates, norms and attention held as they are
- `CRP`: relevance by zennit-crp, an edge of its graph, with its usual rules (ε in dense layers, z⁺
  in convolutions) from the same place; empty where it is not installed or has no name for a layer

Each is compared with removals from its own baseline. `top ten`: of the ten units whose removal
does most, the share among the 32 strongest by `(a-m) g`. `cost`: the time of scoring and measuring
those 32 over that of measuring all. `us`: microseconds a measurement. With `--random` the same
with the weights shuffled within each tensor.
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from phosphene import Network, load_data, load_network
from phosphene.attribution import gradient
from phosphene.circuits import Edges, edges, measure, stages
from phosphene.circuits.baseline import Baseline, baselines_of, sampled
from phosphene.errors import InputError, PhospheneError
from phosphene.network import GUIDED, RELP
from phosphene.network.recorded import Recording
from phosphene.network.sites import Site
from phosphene.objectives import unit_maps
from phosphene.units import Unit

STEPS, AMONG, BEST = 16, 32, 10
FROM_ZERO = ("a g", "abs", "guided", "Captum", "CRP")
MEASURES = ("a g", "(a-m) g", "abs", "guided", "steps", "halfway", "RelP", "Captum", "CRP")


def main() -> None:
    asked = arguments()
    network = load_network(asked.model, asked.weights)
    if asked.random:
        shuffle(network)
    data = load_data(asked.pictures_of, network.input.channels, network.input.size)
    pictures = sampled(network, data, asked.pictures)
    lines = [f"{network.name}{', weights shuffled' * asked.random}, {len(pictures)} pictures", ""]
    columns = f"{' | '.join(MEASURES)} | top ten | cost | us"
    lines += [f"| from -> to (sources) | {columns} |", "|" + "---|" * (len(MEASURES) + 4)]
    print("\n".join(lines))
    for source, target in pairs(network, asked.pairs):
        line = row(network, pictures, source, target, asked.units)
        print(line, flush=True)
        lines.append(line)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pairs(network: Network, named: list[str]) -> list[tuple[str, str]]:
    """The pairs that are named; else each stage from one, two and three below, and the output."""
    if named:
        return [(a, b) for a, _, b in (text.rpartition("->") for text in named)]
    end = network.logits.name
    chain = [end, *stages(network, end)]
    ends = {0, 1, len(chain) // 3, 2 * len(chain) // 3}
    return [
        (chain[i + back], chain[i])
        for i in sorted(ends)
        for back in (1, 2, 3)
        if i + back < len(chain)
    ]


def row(network: Network, pictures: Tensor, source: str, target: str, count: int) -> str:
    """The line of a pair of layers."""
    baselines = baselines_of(network, [source], "mean", pictures)
    mean = baselines[source]
    zero = Baseline("zero", torch.zeros_like(mean.values), mean.high)
    found: dict[str, list[float]] = {}
    recalls, costs, each = [], [], []
    for unit, picture in strongest(network, pictures, target, count):
        shown = picture[None]
        scored = edges(network, shown, unit, source, baseline=mean)
        measure(scored, 1, ("remove",))  # windows are tried out once
        removed, seconds = timed(lambda scored=scored: swept(scored))
        from_zero = swept(edges(network, shown, unit, source, baseline=zero))
        if float(removed.std()) == 0:
            continue
        for name, score in scores(scored, zero).items():
            truth = from_zero if name in FROM_ZERO else removed
            found.setdefault(name, []).append(pearson(score, truth))
        _, quick = timed(
            lambda shown=shown, unit=unit: measure(
                edges(network, shown, unit, source, baseline=mean), AMONG, ("remove",)
            )
        )
        best = set(removed.abs().argsort(descending=True)[:BEST].tolist())
        among = set(scored.strongest(AMONG)[0].tolist())
        recalls.append(len(best & among) / len(best))
        costs.append(quick / seconds)
        each.append(1e6 * seconds / len(removed))
    told = [f"{median(found[name]):.3f}" if found.get(name) else "" for name in MEASURES]
    units, recall = network.layer(source).units, sum(recalls) / len(recalls)
    costs_told = f"{recall:.3f} | {median(costs):.2f} | {median(each):.0f}"
    return f"| {source} -> {target} ({units}) | {' | '.join(told)} | {costs_told} |"


def scores(scored: Edges, zero: Baseline) -> dict[str, Tensor]:
    """Each measure's score of every unit; those that a network does not allow are left out."""
    net, shown, term, source = scored.network, scored.pictures, scored.term, scored.source
    a = net.record(shown, [source])[source]
    g = gradient(net, shown, term, at=source)

    def summed(values: Tensor) -> Tensor:
        return unit_maps(values).sum(2)[0]

    found = {
        "a g": summed(a * g),
        "(a-m) g": scored.score[0],
        "abs": unit_maps(a).abs().sum(2)[0] * unit_maps(g).abs().sum(2)[0],
    }
    ways: dict[str, Callable[[], Tensor]] = {
        "guided": lambda: summed(a * gradient(net, shown, term, GUIDED, at=source)),
        "steps": lambda: edges(
            net, shown, term, source, baseline=scored.baseline, steps=STEPS
        ).score[0],
        "halfway": lambda: edges(
            net, shown, term, source, baseline=scored.baseline, halfway=4
        ).score[0],
        "RelP": lambda: edges(net, shown, term, source, baseline=scored.baseline, rule=RELP).score[
            0
        ],
        "Captum": lambda: captums(scored),
        "CRP": lambda: relevance(scored),
    }
    for name, way in ways.items():
        try:
            found[name] = way()
        except (PhospheneError, ImportError):
            continue
    return found


def captums(scored: Edges) -> Tensor:
    """Captum's LayerGradientXActivation, summed over places."""
    from captum.attr import LayerGradientXActivation

    net, term = scored.network, scored.term

    def forward(pictures: Tensor) -> Tensor:
        return term(net.record(pictures, term.layers, stop=False))

    path = net.layer(scored.source).site.path
    layer = net.module.get_submodule(path or "")
    found = LayerGradientXActivation(forward, layer).attribute(scored.pictures.clone())
    return unit_maps(found.detach()).sum(2)[0]


def relevance(scored: Edges) -> Tensor:
    """zennit-crp's relevance of every unit for the target, summed over places.

    Its graph starts from all places of a unit together; here from the one that is explained.
    """
    from crp.attribution import CondAttribution
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import EpsilonPlusFlat

    net, term = scored.network, scored.term
    (layer,) = term.layers
    start, source = module_of(net, layer), module_of(net, scored.source)

    def begin(values: Tensor) -> Tensor:
        """All that the target is of its layer's values, which are one number for each place."""
        with torch.enable_grad():
            values = values.requires_grad_()
            (slope,) = torch.autograd.grad(
                term(Recording(scored.pictures, {layer: values})).sum(), values
            )
        return (values * slope).detach()

    module = deepcopy(net.module).eval()  # merging norms and asking no gradients are of a copy
    found = CondAttribution(module)(
        scored.pictures.clone().requires_grad_(),
        [{}],
        EpsilonPlusFlat(canonizers=[SequentialMergeBatchNorm()]),
        record_layer=[source],
        start_layer=start or None,
        init_rel=begin,
    )
    return unit_maps(found.relevances[source]).sum(2)[0]


def module_of(network: Network, layer: str) -> str:
    """The name of the module whose whole answer a layer is; "" is the network itself.

    Raises:
        InputError: a layer that is something else.
    """
    site = network.layer(layer).site
    plain = type(site) is Site and site.call is None and not site.keys
    if not plain or site.layout.kind not in ("maps", "vector"):
        raise InputError(f"{layer} is not all that a module answers")
    return site.path


def swept(scored: Edges) -> Tensor:
    """What removing each unit does, by its number."""
    whole = measure(scored, None, ("remove",))
    assert whole.measured is not None
    assert whole.removed is not None
    return torch.zeros_like(scored.score).scatter(1, whole.measured, whole.removed)[0]


def strongest(
    network: Network, pictures: Tensor, layer: str, count: int
) -> list[tuple[Unit, Tensor]]:
    """Units spread over a layer, each with the picture that excites it most."""
    with torch.no_grad():
        values = torch.cat(
            [unit_maps(network.record(some, [layer])[layer]).amax(2) for some in pictures.split(32)]
        )
    alive = (values.amax(0) > 0).nonzero().flatten().tolist()
    every = max(1, len(alive) // count)
    return [(Unit(layer, unit), pictures[int(values[:, unit].argmax())])
            for unit in alive[::every][:count]]  # fmt: skip


def shuffle(network: Network) -> None:
    """Put each weight tensor's values in another order: a control of the same magnitudes."""
    generator = torch.Generator().manual_seed(0)
    for weight in network.module.parameters():
        order = torch.randperm(weight.numel(), generator=generator)
        weight.data = weight.data.flatten()[order].view_as(weight)


def pearson(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, other]).double())[0, 1].nan_to_num())


def timed(work: Callable[[], Tensor | Edges]) -> tuple[Tensor, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started  # type: ignore[return-value]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("pictures_of", metavar="PICTURES")
    parser.add_argument("--weights")
    parser.add_argument("--pairs", nargs="*", default=[], metavar="FROM->TO")
    parser.add_argument("--units", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
