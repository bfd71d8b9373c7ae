"""Does a network of photographs read the class pictures drawn for it? One row per way to draw.

    python benchmarks/photographs.py MODEL.py:factory PHOTOGRAPHS [--weights FILE]
        [--classes goldfish flamingo …] [--recipes chosen maco] [--size 224] [--steps 256]
        [--seed 0] [--reader OTHER.py:factory] [--reader-weights FILE]
        [--out class_photographs.png]

The factory gives a `Network` with the names of its classes, or a module that `--weights` fit. The
spectrum is measured on the photographs. Columns: how many pictures are read as their class first;
the mean probability of the class; its mean score; the share of shifted, turned and resized copies
still read as the class, on average and at worst; seconds per picture; with --reader, how many the
other network reads first and within five. Rows of the picture that is
written are those of the table.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Subset

from phosphene import (
    Bounded,
    Fourier,
    Maco,
    Network,
    Pixels,
    RandomAffine,
    Recipe,
    Spectrum,
    Unit,
    batches,
    draw,
    load_data,
    load_network,
)
from phosphene.evaluation import confirm
from phosphene.maximize import Usual

RECIPES = {
    "chosen": Recipe(),
    "bounded": Recipe(canvas=Bounded()),
    "fourier": Recipe(canvas=Fourier(), unusual=0.0),
    "maco": Recipe(canvas=Maco()),
    "pixels": Recipe(canvas=Pixels()),
    "maco, small moves": Recipe(canvas=Maco(), transform=RandomAffine()),
}
"""The first is the default; the second and the last were the default before."""

CLASSES = [
    *("goldfish", "flamingo", "Egyptian cat", "espresso", "school bus", "tarantula", "zebra"),
    *("golden retriever", "monarch", "strawberry", "volcano", "castle", "acoustic guitar"),
    *("fire engine", "broccoli", "king penguin", "teapot", "bald eagle", "beacon", "jellyfish"),
]


def main() -> None:
    asked = arguments()
    made = load_network(asked.model, asked.weights)
    size = (asked.size, asked.size)
    network = Network(made.module, replace(made.input, size=size), made.labels, made.name)
    targets = [network.classes.index(name) for name in asked.classes]
    data = load_data(asked.photographs, network.input.channels, size)
    spectrum = Spectrum.measure(batch.pictures for batch in batches(data))
    step = max(1, len(data) // 256)
    usual = Usual.measure(
        network, (batch.pictures for batch in batches(Subset(data, range(0, len(data), step)), 32))
    )
    reader = load_network(asked.reader, asked.reader_weights) if asked.reader else None
    columns = f"{'first':>5} {'p':>6} {'score':>6} {'robust':>7} {'worst':>6} {'s each':>7}"
    print(f"{'of ' + str(len(targets)):18} {columns}")
    rows = []
    for name in asked.recipes:
        recipe = replace(RECIPES[name], steps=asked.steps)
        started = time.perf_counter()
        pictures = drawn(
            network, targets, recipe, spectrum, batch=asked.batch, seed=asked.seed, usual=usual
        )
        seconds = (time.perf_counter() - started) / len(targets)
        found = confirm(network, pictures, targets)
        score = network.class_scores(pictures)[range(len(targets)), targets].mean()
        print(
            f"{name:18} {int((found.ranks == 1).sum()):>5} {found.probabilities.mean():>6.3f} "
            f"{score:>6.1f} {found.robust.mean():>7.1%} {found.robust.min():>6.0%} {seconds:>7.1f}"
            f"{read(reader, pictures, targets)}",
            flush=True,
        )
        rows.append(pictures)
        mosaic(rows, asked.out)


def drawn(
    network: Network,
    targets: Sequence[int],
    recipe: Recipe,
    spectrum: Spectrum,
    *,
    batch: int,
    seed: int = 0,
    usual: Usual | None = None,
) -> Float[Tensor, "b c h w"]:
    units = [Unit(network.logits.name, target) for target in targets]
    return torch.stack(
        [
            drawing.picture
            for start in range(0, len(units), batch)
            for drawing in draw(
                network,
                units[start : start + batch],
                recipe,
                seed=seed,
                spectrum=spectrum,
                usual=usual,
            )
        ]
    )


def read(reader: Network | None, pictures: Tensor, targets: Sequence[int]) -> str:
    """How many the other network reads as their class first, and within five."""
    if reader is None:
        return ""
    seen = F.interpolate(pictures, reader.input.size, mode="bicubic", antialias=True).clamp(0, 1)
    scores = reader.class_scores(seen)
    ranks = (scores > scores[range(len(targets)), targets][:, None]).sum(1)
    return f" {int((ranks == 0).sum()):>3} {int((ranks < 5).sum()):>3}"


def mosaic(rows: Sequence[Float[Tensor, "b c h w"]], out: Path) -> None:
    """One row of pictures below the other."""
    strips = [np.concatenate(list(row.permute(0, 2, 3, 1).numpy()), axis=1) for row in rows]
    levels = np.rint(255 * np.concatenate(strips)).astype(np.uint8)
    Image.fromarray(levels).save(out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("--weights")
    parser.add_argument("--classes", nargs="+", default=CLASSES)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader")
    parser.add_argument("--reader-weights")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("class_photographs.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
