"""How real do the ten class pictures of an MNIST network look? One row per canvas.

    python benchmarks/class_pictures.py MNIST_FOLDER HVASS_WEIGHTS OTHER.py:factory OTHER_WEIGHTS
        [--seeds 1] [--decoder decoder.safetensors]

Pictures are drawn for Hvass's network with default settings, ten for each seed. Columns: how many
are read as their class by the network itself; by the other network; by the majority of the 5
nearest training images; the distance to the nearest training image, relative to that of real test
images; and the mean logit of the class.

The decoder is trained on the training images and its weights are written to the file that
--decoder names; where they are there already they are loaded. Interrupted, it goes on from where
it was.
"""

import argparse
from collections import deque
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from phosphene import (
    Fourier,
    Input,
    Maco,
    Network,
    Optimizer,
    Pixels,
    RandomAffine,
    Recipe,
    Spectrum,
    Unit,
    batches,
    draw,
    load_network,
    mnist,
    nearest_neighbours,
)
from phosphene.canvas import Autoencoder, Decoded
from phosphene.network import load_weights
from phosphene.training import seeded
from phosphene.transforms import Identity
from phosphene.zoo import VariationalAutoencoder, hvass, train_decoder

RECIPES = {
    "chosen (bounded here)": Recipe(),
    "maco": Recipe(canvas=Maco(), transform=RandomAffine()),
    "fourier": Recipe(canvas=Fourier()),
    "pixels": Recipe(canvas=Pixels()),
    "article 4's own": Recipe(
        canvas=Pixels(start="grey"),
        steps=30,
        optimizer=Optimizer("NormalizedGradient", 1.0),
        transform=Identity(),
    ),
}


def main() -> None:
    asked = arguments()
    module = hvass()
    load_weights(module, asked.weights)
    network = Network(module, Input(1, (28, 28)))
    other = load_network(asked.other_model, asked.other_weights)
    train, test = mnist(asked.folder, "train"), mnist(asked.folder, "test")
    recipes = RECIPES | {"decoder": Recipe(canvas=Decoded(decoder=decoder(train, asked.decoder)))}
    spectrum = Spectrum.measure(batch.pictures for batch in batches(test))
    some = torch.stack([test[i].picture for i in range(1000)])
    real = nearest_neighbours(some, batches(train, 4096), 1).distances.mean()
    classes = torch.arange(10).repeat(asked.seeds)
    columns = f"{'own':>5} {'other':>6} {'5-NN':>5} {'distance':>9} {'logit':>6}"
    print(f"{'of ' + str(len(classes)):18} {columns}")
    rows = []
    for name, recipe in recipes.items():
        units = [Unit(network.logits.name, i) for i in range(10)]
        drawings = [
            drawing
            for seed in range(asked.seeds)
            for drawing in draw(network, units, recipe, spectrum=spectrum, seed=seed)
        ]
        pictures = torch.stack([drawing.picture for drawing in drawings])
        scores = network.class_scores(pictures)
        own = int((scores.argmax(1) == classes).sum())
        read = int((other.class_scores(pictures).argmax(1) == classes).sum())
        near = nearest_neighbours(pictures, batches(train, 4096), 5)
        voted = int((near.votes(10).argmax(1) == classes).sum())
        ratio = float(near.distances[:, 0].mean() / real)
        logit = float(scores[range(len(classes)), classes].mean())
        print(f"{name:18} {own:>5} {read:>6} {voted:>5} {ratio:>8.2f}x {logit:>6.1f}")
        rows.append(np.concatenate([np.pad(p[0].numpy(), 2) for p in pictures[:10]], axis=1))
    sheet = Image.fromarray((np.concatenate(rows) * 255).astype(np.uint8))
    sheet.resize((sheet.width * 3, sheet.height * 3), Image.Resampling.NEAREST).save(
        "class_pictures.png"
    )


def decoder(train: Dataset, path: Path) -> Autoencoder:
    autoencoder = seeded(lambda: VariationalAutoencoder((1, 28, 28)), 0)
    deque(train_decoder(autoencoder, train, path), maxlen=0)
    return autoencoder


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("weights")
    parser.add_argument("other_model")
    parser.add_argument("other_weights")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--decoder", type=Path, default=Path("decoder.safetensors"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
