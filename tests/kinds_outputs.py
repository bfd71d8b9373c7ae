"""Kinds of outputs, inputs and tasks; see `kinds`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import tiny
from kinds import Kind
from phosphene.network import Input, Network


class Small(nn.Module):
    """Features and a head; what it gives back is `end`'s choice."""

    def __init__(self, end: Callable[[Tensor, Tensor], Any], classes: int) -> None:
        super().__init__()
        self.conv, self.embed, self.head = (
            nn.Conv2d(3, 6, 3),
            nn.Linear(6, 7),
            nn.Linear(7, classes),
        )
        self.other, self.end = nn.Linear(7, 2), end

    def forward(self, x: Tensor) -> Any:
        features = self.embed(torch.relu(self.conv(x)).mean((2, 3)))
        return self.end(features, self.head(features))


@dataclass
class Parts:
    features: Tensor
    logits: Tensor


def small(end: Callable[[Tensor, Tensor], Any], classes: int = 4, **said: Any) -> Network:
    module = tiny.seeded(lambda: Small(end, classes))
    return Network(module.eval(), Input(3, (12, 12)), name="Small", **said)


def two_heads(**said: Any) -> Network:
    class Heads(Small):
        def forward(self, x: Tensor) -> Any:
            features, z = super().forward(x)
            return {"shape": z, "colour": self.other(features)}

    module = tiny.seeded(lambda: Heads(lambda f, z: (f, z), 4))
    return Network(module.eval(), Input(3, (12, 12)), name="Heads", **said)


def banded(bands: int) -> Network:
    module = tiny.seeded(lambda: nn.Sequential(nn.Conv2d(bands, 4, 3), nn.Flatten(), nn.Softmax(1)))
    return Network(module, Input(bands, (8, 8)), task="none", name="Bands")


def maps() -> Network:
    module = tiny.seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3)))
    return Network(module, Input(1, (12, 12)), name="Maps")


KINDS = [
    Kind(
        "scores behind a softmax, also its logarithm",
        lambda: small(lambda f, z: z.softmax(1)),
        "yes",
    ),
    Kind("several sigmoids: labels of their own", lambda: small(lambda f, z: z.sigmoid()), "yes"),
    Kind("one sigmoid: two classes", lambda: small(lambda f, z: z.sigmoid(), 1), "yes"),
    Kind(
        "the mean of two heads' softmax",
        lambda: small(lambda f, z: (z.softmax(1) + f[:, :4].softmax(1)) / 2),
        "yes",
    ),
    Kind("raw scores", lambda: small(lambda f, z: z), "yes, and says so", "softmax .*assumed"),
    Kind(
        "one raw score",
        lambda: small(lambda f, z: z, 1),
        "yes, and says so",
        "two classes .*assumed",
    ),
    Kind(
        "raw scores that were said to be labels",
        lambda: small(lambda f, z: z, task="sigmoid"),
        "yes",
    ),
    Kind("features and scores, in a tuple", lambda: small(lambda f, z: (f, z.softmax(1))), "yes"),
    Kind(
        "features and scores, in a dictionary or a dataclass",
        lambda: small(lambda f, z: Parts(f, z.log_softmax(1))),
        "yes",
    ),
    Kind("two heads, nothing said", two_heads, "yes, and says so", "say which is: output="),
    Kind("two heads, one named", lambda: two_heads(output="colour"), "yes"),
    Kind("maps: segmentation, autoencoders", maps, "yes, and says so", "no .* scores"),
    Kind(
        "features, said to be none", lambda: small(lambda f, z: f, task="none"), "yes, and says so"
    ),
    Kind(
        "pictures of two, four or twelve bands", lambda: banded(4), "yes, and says so", "no classes"
    ),
    Kind(
        "blue, green, red",
        lambda: Network(
            tiny.seeded(lambda: Small(lambda f, z: z.softmax(1), 4)),
            Input(3, (12, 12), (104, 117, 124), 1, (0, 255), "bgr"),
        ),
        "yes",
    ),
    Kind(
        "a softmax over one output",
        lambda: small(lambda f, z: z, 1, task="softmax"),
        "refused",
        "always 1",
    ),
    Kind(
        "labels that are more or fewer than the outputs",
        lambda: small(lambda f, z: z.softmax(1), labels=("a", "b")),
        "refused",
        "2 labels were given for 4",
    ),
]
