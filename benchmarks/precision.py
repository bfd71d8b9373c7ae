"""What drawing in bfloat16 saves and costs: the same units in both precisions, a row per layer.

    python benchmarks/precision.py MODEL.py:factory [--weights FILE] [--input 3x224x224]
        [--layers conv2 output …] [--units 8] [--steps 256] [--seed 0] [--rounds 1]
        [--device cpu] [--channels-last] [--another] [--out precision.png]

Each layer's units are spread evenly over it, 0 are all of them, and drawn in batches as an atlas
draws them. Both precisions take turns, and the shorter of `--rounds` times counts. On a processor
that is the process's own time, so OMP_NUM_THREADS=1 tells most; elsewhere it is the clock's, to the
end of what was asked of the device. Columns: how many units were drawn, the side of their pictures,
the steps the layer takes; steps of one picture a second in float32 and in bfloat16; seconds for all
units of the layer; the ratio of times; quartiles of what units answer to pictures drawn in bfloat16
over what they answer to those drawn in float32, both told by float32; how many of each answer their
own picture more than any other of the units drawn does, by mean. With `--another` the quartiles for
float32's pictures of another seed follow, for comparison. `--channels-last` lays the weights so, as
graphics cards like it; on a processor pictures lie so already. Of the picture that is written each
layer has two rows, float32's above.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from phosphene import Network, Recipe, draw, keep_freed_memory, load_network
from phosphene.maximize import Drawing, batch_size
from phosphene.network import Layer
from phosphene.objectives import unit_maps
from phosphene.precisions import PRECISIONS, Precision
from phosphene.study.units import UNITS_PER_JOB
from phosphene.units import Unit

TILE = 112
"""Pixels of a picture's side on the sheet."""


@dataclass(frozen=True)
class Drawn:
    """The pictures of some units, and how long they took."""

    drawings: Sequence[Drawing]
    seconds: float

    @property
    def answers(self) -> Tensor:
        return torch.tensor([drawing.activation for drawing in self.drawings])


def main() -> None:
    asked = arguments()
    keep_freed_memory()  # as commands do
    network = loaded(asked)
    layers = [network.layer(name) for name in asked.layers or ()] or network.default_layers
    print(f"{network.name} on {place(network.device)}, {torch.get_num_threads()} threads")
    columns = f"{'layer':16} {'units':>5} {'side':>4} {'steps':>5} {'steps/s':>13} {'all, s':>15}"
    other = "   another seed's" if asked.another else ""
    print(f"{columns} {'time':>5}   {'activation':14}{other}  own")
    sums, rows = dict.fromkeys(PRECISIONS, 0.0), []
    for layer in layers:
        found, another = raced(network, layer, asked)
        share = layer.units / len(found["float32"].drawings)
        for precision, one in found.items():
            sums[precision] += one.seconds * share
        print(told(network, layer, found, another), flush=True)
        rows += [strip(one.drawings) for one in found.values()]
        sheet(rows, asked.out)
    before, after = sums.values()
    print(
        f"all units of {len(layers)} layers: {before:.0f} and {after:.0f} s, {after / before:.2f}"
    )


def loaded(asked: argparse.Namespace) -> Network:
    size = asked.input.split("x") if asked.input else []
    input = {"channels": int(size[0]), "size": (int(size[1]), int(size[2]))} if size else None
    network = load_network(asked.model, asked.weights, input, device=asked.device)
    network.module.to(asked.device)
    if asked.channels_last:
        network.module.to(memory_format=torch.channels_last)
    return network


def raced(
    network: Network, layer: Layer, asked: argparse.Namespace
) -> tuple[dict[Precision, Drawn], Drawn | None]:
    """The units of a layer in both precisions, and in float32 with another seed."""
    count = min(asked.units or layer.units, layer.units)
    units = [Unit(layer.name, at * layer.units // count) for at in range(count)]
    for precision in PRECISIONS:  # what runs first takes longer
        drawn(network, units[:UNITS_PER_JOB], Recipe(steps=2, precision=precision), asked.seed)
    found: dict[Precision, Drawn] = {}
    for _ in range(asked.rounds):
        for precision in PRECISIONS:
            recipe = Recipe(steps=asked.steps, precision=precision)
            one = drawn(network, units, recipe, asked.seed)
            if precision not in found or one.seconds < found[precision].seconds:
                found[precision] = one
    recipe = Recipe(steps=asked.steps)
    return found, drawn(network, units, recipe, asked.seed + 1) if asked.another else None


def drawn(network: Network, units: Sequence[Unit], recipe: Recipe, seed: int) -> Drawn:
    size = min(UNITS_PER_JOB, batch_size(network, units[0].layer))
    began, drawings = now(network.device), []
    for start in range(0, len(units), size):
        drawings += draw(network, units[start : start + size], recipe, seed=seed, attempts=1)
    return Drawn(drawings, now(network.device) - began)


def now(device: torch.device) -> float:
    if device.type == "cpu":
        return time.process_time()
    torch.accelerator.synchronize()
    return time.perf_counter()


def told(
    network: Network, layer: Layer, found: dict[Precision, Drawn], another: Drawn | None
) -> str:
    """One row of the table."""
    single, lower = found["float32"], found["bfloat16"]
    first, count = single.drawings[0], len(single.drawings)
    assert first.recipe is not None
    steps, side = first.recipe.steps, first.picture.shape[-1]
    rates = " and ".join(f"{count * steps / one.seconds:.0f}" for one in found.values())
    whole = " and ".join(f"{one.seconds * layer.units / count:.0f}" for one in found.values())
    said = [f"{layer.name:16} {count:>5} {side:>4} {steps:>5} {rates:>13} {whole:>15}"]
    said += [f"{lower.seconds / single.seconds:>5.2f}  ", quartiles(lower, single)]
    if another is not None:
        said.append(f" {quartiles(another, single)}")
    said.append(", ".join(str(own(network, layer, one.drawings)) for one in found.values()))
    return " ".join(said)


def quartiles(one: Drawn, other: Drawn) -> str:
    """Of the answers to pictures over those to others, of the units that any of these woke."""
    awake = (one.answers > 0) & (other.answers > 0)
    shares = (one.answers / other.answers)[awake]
    if not len(shares):
        return f"{'-':14}"
    low, middle, high = shares.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    return f"{low:.2f} {middle:.2f} {high:.2f}"


@torch.no_grad()
def own(network: Network, layer: Layer, drawings: Sequence[Drawing]) -> int:
    """How many of the pictures their own unit answers to more than to any other."""
    means = torch.cat(
        [
            unit_maps(network.record(drawing.picture[None], [layer.name])[layer.name]).mean(2).cpu()
            for drawing in drawings
        ]
    )
    answers = means[:, [drawing.unit.index for drawing in drawings]]
    return int((answers.argmax(0) == torch.arange(len(drawings))).sum())


def strip(drawings: Sequence[Drawing]) -> Tensor:
    """The first pictures of a layer in a row."""
    shown = [
        F.interpolate(drawing.picture[None], (TILE, TILE), mode="area")[0].expand(3, TILE, TILE)
        for drawing in drawings[:12]
    ]
    return torch.cat(shown, 2)


def sheet(rows: Sequence[Tensor], out: Path) -> None:
    widest = max(row.shape[2] for row in rows)
    filled = [F.pad(row, (0, widest - row.shape[2]), value=1.0) for row in rows]
    levels = torch.cat(filled, 1).permute(1, 2, 0).numpy()
    Image.fromarray(np.rint(255 * levels).astype(np.uint8)).save(out)


def place(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return device.type


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--weights")
    parser.add_argument("--input", help="channels x height x width")
    parser.add_argument("--layers", nargs="+")
    parser.add_argument("--units", type=int, default=8)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--another", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("precision.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
