"""How real do the ten class pictures of an MNIST network look? One row per canvas.

    python benchmarks/class_pictures.py MNIST_FOLDER HVASS_WEIGHTS OTHER.py:factory OTHER_WEIGHTS

Pictures are drawn for Hvass's network with default settings. Columns: read as their class by the
network itself; by the other network; by the majority of the 5 nearest training images; and the
distance to the nearest training image, relative to that of real test images.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from phosphene import (
    Fourier,
    Input,
    Network,
    Optimizer,
    Pixels,
    Recipe,
    Spectrum,
    Unit,
    batches,
    draw,
    load_network,
    mnist,
    nearest_neighbours,
)
from phosphene.network import load_weights
from phosphene.transforms import Identity
from phosphene.zoo import hvass

RECIPES = {
    "maco (default)": Recipe(),
    "fourier": Recipe(canvas=Fourier()),
    "pixels": Recipe(canvas=Pixels()),
    "article 4's own": Recipe(
        canvas=Pixels(start="grey"),
        steps=30,
        optimizer=Optimizer("NormalizedGradient", 1.0),
        transform=Identity(),
    ),
}


def main(folder: str, weights: str, other_model: str, other_weights: str) -> None:
    module = hvass()
    load_weights(module, weights)
    network = Network(module, Input(1, (28, 28)))
    other = load_network(other_model, other_weights)
    train, test = mnist(Path(folder), "train"), mnist(Path(folder), "test")
    spectrum = Spectrum.measure(batch.pictures for batch in batches(test))
    some = torch.stack([test[i].picture for i in range(1000)])
    real = nearest_neighbours(some, batches(train, 4096), 1).distances.mean()
    classes = torch.arange(10)
    print(f"{'canvas':18} {'own':>5} {'other':>6} {'5-NN':>5} {'distance':>9}")
    rows = []
    for name, recipe in RECIPES.items():
        units = [Unit(network.logits.name, i) for i in range(10)]
        drawings = draw(network, units, recipe, spectrum=spectrum)
        pictures = torch.stack([drawing.picture for drawing in drawings])
        own = int((network.class_scores(pictures).argmax(1) == classes).sum())
        read = int((other.class_scores(pictures).argmax(1) == classes).sum())
        near = nearest_neighbours(pictures, batches(train, 4096), 5)
        voted = int((near.votes(10).argmax(1) == classes).sum())
        ratio = float(near.distances[:, 0].mean() / real)
        print(f"{name:18} {own:>5} {read:>6} {voted:>5} {ratio:>8.2f}x")
        rows.append(np.concatenate([np.pad(p[0].numpy(), 2) for p in pictures], axis=1))
    sheet = Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8))
    sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.NEAREST).save(
        "class_pictures.png"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
