"""A study small enough to be built many times."""

import torch
from torch import nn

from phosphene.data import ArrayDataset, digits
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study


def make_network(seed: int = 0, channels: int = 1) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(channels, 4, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6 * 12 * 12, 10),
        )
        module[3].bias.data[2] = -1000.0  # never fires
    return Network(module, Input(channels, (28, 28)), [str(i) for i in range(10)], "tiny")


def make_study(seed: int = 0, steps: int = 4, pictures: int = 40) -> Study:
    data: ArrayDataset = digits("test").take(slice(0, pictures))
    recipes = (Recipe("channel", steps=steps), Recipe("neuron", steps=steps))
    return Study(make_network(seed), data, Settings(recipes=recipes, examples=3))
