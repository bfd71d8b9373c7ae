"""How long does it take to measure every edge of a network, one layer down?

    python benchmarks/sweep.py MODEL PHOTOGRAPHS [--weights FILE] [--layers features.4 …]
        [--most 1000] [--together 16] [--whole 4]

Every unit of each layer (the stages of the network unless named), on the photograph that excites
it most, is scored and measured from every unit of the stage below, over the mean: removed, kept
alone and raised. Told are edges, seconds, microseconds a measurement, and how often longer the same
takes by re-running whole maps, measured in the same run on a few of its units; the largest
difference of the two in what removing does, as a share of the layer's largest; and how well scores
and removals agree, the median over units of their correlation.
"""

import argparse
import time
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from phosphene import Network, load_data, load_network
from phosphene.circuits import Edges, edges, measure, stages
from phosphene.circuits.baseline import Baseline, baseline_of
from phosphene.objectives import unit_maps
from phosphene.units import Unit


def main() -> None:
    asked = arguments()
    network = load_network(asked.model, asked.weights)
    data = load_data(asked.photographs, network.input.channels, network.input.size)
    step = max(1, len(data) // asked.most)
    pictures = torch.stack([data[i].picture for i in range(0, len(data), step)])
    end = network.logits.name
    chain = [end, *stages(network, end)]
    print(f"{network.name}, {len(pictures)} pictures")
    print("| from -> to | edges | s | µs each | whole maps | off by | Pearson |\n|" + "---|" * 7)
    total = 0.0
    for target, source in pairwise(chain):
        if not asked.layers or target in asked.layers:
            total += of_layer(network, pictures, source, target, asked)
    print(f"{total:.0f} s in all")


class Pair(NamedTuple):
    """Two layers, and each target's strongest photograph."""

    network: Network
    shown: Tensor
    source: str
    target: str
    absent: Baseline

    def measured(self, units: list[int], windows: bool = True) -> Edges:
        """All edges of some units, one for each picture."""
        found = edges(
            self.network,
            self.shown[units],
            [Unit(self.target, unit) for unit in units],
            self.source,
            baseline=self.absent,
        )
        return measure(found, None, windows=windows)

    def timed(self, few: list[int], windows: bool) -> tuple[float, list[Edges]]:
        """A few units one by one, by windows or whole maps."""
        started = time.perf_counter()
        found = [self.measured([unit], windows) for unit in few]
        return time.perf_counter() - started, found


def of_layer(
    network: Network, pictures: Tensor, source: str, target: str, asked: argparse.Namespace
) -> float:
    """The line of a layer, and its seconds."""
    absent = baseline_of(network, source, "mean", pictures)
    pair = Pair(network, pictures[strongest(network, target, pictures)], source, target, absent)
    units = torch.arange(network.layer(target).units)
    pair.measured([0])  # windows are tried out once
    started = time.perf_counter()
    found = [pair.measured(some.tolist()) for some in units.split(asked.together)]
    seconds = time.perf_counter() - started
    few = [int(i) for i in torch.linspace(0, len(units) - 1, asked.whole).round()]
    quick, at_windows = pair.timed(few, windows=True)
    slow, at_whole = pair.timed(few, windows=False)
    count = len(units) * network.layer(source).units
    print(
        f"| {source} -> {target} | {count:,} | {seconds:.1f} | {1e6 * seconds / count / 3:.0f} | "
        f"{slow / quick:.1f}x | {off(at_windows, at_whole):.0e} | {agreement(found):.3f} |",
        flush=True,
    )
    return seconds


def off(one: list[Edges], other: list[Edges]) -> float:
    """How far removals of the two are apart, as a share of the largest."""
    a, b = (torch.cat([found.removed for found in each]) for each in (one, other))
    return float((a - b).abs().max() / b.abs().max())


def agreement(found: list[Edges]) -> float:
    """The median over targets of the correlation between scores and removals."""
    each = [
        torch.corrcoef(torch.stack([score, removed]))[0, 1]
        for some in found
        for score, removed in zip(
            some.score.gather(1, some.measured).double(), some.removed.double(), strict=True
        )
        if removed.std() > 0
    ]
    return float(torch.stack(each).median())


def strongest(network: Network, layer: str, pictures: Tensor) -> Tensor:
    """Each unit's picture of the largest value."""
    with torch.no_grad():
        parts = [
            unit_maps(network.record(some, [layer])[layer]).amax(2) for some in pictures.split(32)
        ]
    return torch.cat(parts).argmax(0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("--weights")
    parser.add_argument("--layers", nargs="*", default=[])
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--together", type=int, default=16)
    parser.add_argument("--whole", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()
