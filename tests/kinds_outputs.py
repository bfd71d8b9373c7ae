"""Kinds of outputs, inputs and tasks; see `kinds`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kinds import Kind, Verdict
from phosphene.network import Input


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


class Heads(Small):
    """Two heads that may both be meant."""

    def forward(self, x: Tensor) -> Any:
        features, z = super().forward(x)
        return {"shape": z, "colour": self.other(features)}


def small(end: Callable[[Tensor, Tensor], Any], classes: int = 4) -> Callable[[], nn.Module]:
    return lambda: Small(end, classes)


def heads() -> nn.Module:
    return Heads(lambda f, z: (f, z), 4)


def maps() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))


def banded() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Softmax(1))


SIZE, GREY, BANDS = Input(3, (12, 12)), Input(1, (12, 12)), Input(4, (12, 12))
CAFFE = Input(3, (12, 12), (104, 117, 124), 1, (0, 255), "bgr")
SAYS: Verdict = "yes, and says so"

KINDS = [
    Kind("scores behind a softmax", small(lambda f, z: z.softmax(1)), SIZE, "yes"),
    Kind("scores behind a log-softmax", small(lambda f, z: z.log_softmax(1)), SIZE, "yes"),
    Kind("several sigmoids: labels of their own", small(lambda f, z: z.sigmoid()), SIZE, "yes"),
    Kind("one sigmoid: two classes", small(lambda f, z: z.sigmoid(), 1), SIZE, "yes"),
    Kind(
        "the mean of two softmaxes",
        small(lambda f, z: (z.softmax(1) + f[:, :4].softmax(1)) / 2),
        SIZE,
        "yes",
    ),
    Kind("raw scores", small(lambda f, z: z), SIZE, SAYS, "softmax .*assumed"),
    Kind("one raw score", small(lambda f, z: z, 1), SIZE, SAYS, "two classes or a measure"),
    Kind(
        "one raw score, and two labels",
        small(lambda f, z: z, 1),
        SIZE,
        SAYS,
        "two classes .*assumed",
        {"labels": ("cat", "dog")},
    ),
    Kind(
        "raw scores that are said to be labels",
        small(lambda f, z: z),
        SIZE,
        "yes",
        saying={"task": "sigmoid"},
    ),
    Kind("features and scores in a tuple", small(lambda f, z: (f, z.softmax(1))), SIZE, "yes"),
    Kind(
        "features and scores in a dataclass",
        small(lambda f, z: Parts(f, z.log_softmax(1))),
        SIZE,
        "yes",
    ),
    Kind("two heads, nothing said", heads, SIZE, SAYS, "say which is: output="),
    Kind("two heads, one named", heads, SIZE, "yes", saying={"output": "colour"}),
    Kind("maps: segmentation, autoencoders", maps, GREY, SAYS, "no .b, classes. scores"),
    Kind(
        "features, said to be no classes",
        small(lambda f, z: f),
        SIZE,
        SAYS,
        "no classes",
        {"task": "none"},
    ),
    Kind("pictures of four bands", banded, BANDS, "yes"),
    Kind("blue, green, red", small(lambda f, z: z.softmax(1)), CAFFE, "yes"),
    Kind(
        "a softmax over one output",
        small(lambda f, z: z, 1),
        SIZE,
        "refused",
        "always 1",
        {"task": "softmax"},
    ),
    Kind(
        "labels more or fewer than outputs",
        small(lambda f, z: z.softmax(1)),
        SIZE,
        "refused",
        "2 labels were given for 4",
        {"labels": ("a", "b")},
    ),
]
