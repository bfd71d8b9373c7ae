"""Class pictures of photographs, ours beside Lucent's and Horama's, by the same steps.

    PYTHONPATH=src .venv-zoo/bin/python benchmarks/side_by_side.py torchvision:squeezenet1_1
        PHOTOGRAPHS [--weights FILE] [--classes goldfish flamingo …] [--steps 256]
        [--painters ours Lucent Horama] [--horama-size 512] [--out side_by_side.png]

For each: how many pictures are read as their class first; its mean probability and score; the
share of shifted, turned and resized copies still read as the class, on average and at worst;
seconds per picture. Lucent draws 128 pixels, enlarged to 224 as it does itself. Horama fills a
large picture with things that it looks at through windows of a quarter of the side, so its middle
third is judged and shown; its own size of 1280 pixels takes minutes a picture on a CPU. Its
spectrum, which it would download, is measured on the photographs in its own colour axes. Each
column of the picture is a class, each row a tool.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from opponents import horama_maco, horama_spectrum, lucent
from photographs import CLASSES, drawn, mosaic
from torch import Tensor
from torch.nn import functional as F

from phosphene import Network, Recipe, Spectrum, batches, load_data, load_network
from phosphene.evaluation import confirm
from phosphene.network import frozen


def main() -> None:
    asked = arguments()
    network = load_network(asked.model, asked.weights)
    data = load_data(asked.photographs, network.input.channels, network.input.size)
    spectrum = Spectrum.measure(batch.pictures for batch in batches(data))
    targets = [network.classes.index(name) for name in asked.classes]
    painters = {
        "ours": partial(ours, network, spectrum, asked.steps),
        "Lucent": partial(lucents, network, asked.steps),
        "Horama": partial(horamas, network, [data[i].picture for i in range(200)], asked),
    }
    print(f"| by {asked.steps} steps | first | p | score | robust | worst | s each |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    for name in asked.painters:
        started = time.perf_counter()
        pictures = painters[name](targets)
        seconds = (time.perf_counter() - started) / len(targets)
        found = confirm(network, pictures, targets)
        score = network.class_scores(pictures)[range(len(targets)), targets].mean()
        print(
            f"| {name} | {int((found.ranks == 1).sum())} of {len(targets)} "
            f"| {found.probabilities.mean():.3f} | {score:.1f} | {found.robust.mean():.1%} "
            f"| {found.robust.min():.0%} | {seconds:.1f} |",
            flush=True,
        )
        rows.append(pictures)
        mosaic(rows, asked.out)


def ours(network: Network, spectrum: Spectrum, steps: int, targets: Sequence[int]) -> Tensor:
    return drawn(network, targets, replace(Recipe(), steps=steps), spectrum, batch=10)


def lucents(network: Network, steps: int, targets: Sequence[int]) -> Tensor:
    found = [lucent(network, network.logits.name, target, steps) for target in targets]
    return F.interpolate(
        torch.cat(found), network.input.size, mode="bilinear", align_corners=True
    ).clamp(0, 1)


def horamas(
    network: Network, photographs: Sequence[Tensor], asked: argparse.Namespace, targets: list[int]
) -> Tensor:
    found, here = [], Path.cwd()
    with tempfile.TemporaryDirectory() as folder, frozen(network.module):
        horama_spectrum(photographs, Path(folder))
        os.chdir(folder)  # where it looks for its spectrum
        try:
            for target in targets:
                score = partial(class_score, network.module, target)
                found.append(horama_maco(network, score, asked.steps, asked.horama_size))
        finally:
            os.chdir(here)
    third = (asked.horama_size - asked.horama_size // 3) // 2
    middle = torch.stack(found)[:, :, third:-third, third:-third]
    return F.interpolate(middle, network.input.size, mode="bicubic", antialias=True).clamp(0, 1)


def class_score(module: Callable[[Tensor], Tensor], target: int, pictures: Tensor) -> Tensor:
    """The objective of Horama's README."""
    return module(pictures)[:, target].mean()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("--weights")
    parser.add_argument("--classes", nargs="+", default=CLASSES)
    parser.add_argument("--painters", nargs="+", default=["ours", "Lucent", "Horama"])
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--horama-size", type=int, default=512)
    parser.add_argument("--out", type=Path, default=Path("side_by_side.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
