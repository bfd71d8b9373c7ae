"""How small are circuits? Units on single photographs, and kernels over many.

    python benchmarks/circuits.py MODEL.py:factory PHOTOGRAPHS [--weights FILE]
        [--layer features.6] [--source features.4] [--units 50] [--keep 0.95]
        [--kernels 7 150] [--share 0.2] [--steps 300] [--part 104] [--most 1000]

First table: units of --layer, each on its strongest photograph, made of those of --source, over the
mean of all photographs: the median size that keeps the response, beside what scores and chance
need; the mean of f and of |1 - f| over all sizes, what is left without the circuit, and processor
seconds a unit.
Second table: Pearson's correlation of a unit's map on 40 photographs that were set aside, where a
share of the kernels below it is kept, by score and as learnt, and processor seconds a unit.
"""

import argparse
import time

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import Network, load_data, load_network
from phosphene.circuits import ORDERS, circuit, kernel_circuit, learn_masks
from phosphene.circuits.baseline import baseline_of
from phosphene.objectives import unit_maps

APART = 40
"""Photographs that kernels are neither scored nor learnt on."""


def main() -> None:
    asked = arguments()
    network = load_network(asked.model, asked.weights)
    data = load_data(asked.photographs, network.input.channels, network.input.size)
    step = max(1, len(data) // asked.most)
    pictures = torch.stack([data[i].picture for i in range(0, len(data), step)])
    of_units(network, pictures, asked)
    of_kernels(network, pictures, asked)


def of_units(network: Network, pictures: Tensor, asked: argparse.Namespace) -> None:
    layer = network.layer(asked.layer)
    units = torch.linspace(0, layer.units - 1, min(asked.units, layer.units)).round().long()
    shown = pictures[strongest(network, layer.name, pictures)[units]]
    absent = baseline_of(network, asked.source, "mean", pictures)
    print(f"{'order':8} {'median':>7} {'most':>5} {'cpr':>6} {'cmd':>6} {'left':>6} {'s each':>7}")
    for order in ORDERS:
        started = time.process_time()
        found = [
            circuit(
                network,
                shown[i : i + 1],
                f"{layer.name}:{unit}",
                asked.source,
                keep=asked.keep,
                order=order,
                baseline=absent,
            )
            for i, unit in enumerate(units.tolist())
        ]
        seconds = (time.process_time() - started) / len(found)
        sizes = torch.cat([each.sizes for each in found]).double()
        cpr, cmd, left = (
            float(torch.cat([getattr(each, name) for each in found]).quantile(0.5))
            for name in ("cpr", "cmd", "left")
        )
        print(
            f"{order:8} {sizes.quantile(0.5):>7.1f} {sizes.max():>5.0f} {cpr:>6.2f} {cmd:>6.2f} "
            f"{left:>6.2f} {seconds:>7.2f}",
            flush=True,
        )
    print(f"of {len(absent.values)} units of {asked.source}, {len(units)} units of {layer.name}")


def of_kernels(network: Network, pictures: Tensor, asked: argparse.Namespace) -> None:
    every = max(2, len(pictures) // APART)
    aside = torch.arange(len(pictures)) % every == every - 1
    apart, rest = pictures[aside][:APART], pictures[~aside]
    for unit in asked.kernels:
        started = time.process_time()
        found = kernel_circuit(network, rest[:100], f"{asked.layer}:{unit}", asked.share)
        scored = time.process_time()
        learned = learn_masks(found, rest, asked.steps, size=(asked.part, asked.part))
        ended = time.process_time()
        print(
            f"{found.unit}: {found.count:,} of {found.below:,} kernels; correlation by score "
            f"{found.correlation(apart):.3f} ({scored - started:.0f} s), learnt "
            f"{learned.correlation(apart):.3f} ({ended - scored:.0f} s)",
            flush=True,
        )


@torch.no_grad()
def strongest(network: Network, layer: str, pictures: Float[Tensor, "n c h w"]) -> Tensor:
    """The picture that each unit answers to most."""
    parts = [network.record(some, [layer])[layer] for some in pictures.split(32)]
    return torch.cat([unit_maps(part).amax(2) for part in parts]).argmax(0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("--weights")
    parser.add_argument("--layer", default="features.6")
    parser.add_argument("--source", default="features.4")
    parser.add_argument("--units", type=int, default=50)
    parser.add_argument("--keep", type=float, default=0.95)
    parser.add_argument("--kernels", type=int, nargs="*", default=[7, 150])
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--part", type=int, default=104)
    parser.add_argument("--most", type=int, default=1000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
