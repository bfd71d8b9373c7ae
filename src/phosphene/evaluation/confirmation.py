"""Does the network itself read a picture as the class it was made for, and does that last?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.streams import Streams
from phosphene.transforms import RandomAffine, Transform

ROBUST = RandomAffine(shift=0.1, rotate=20.0, scale=(0.8, 1.25), fill="reflection")
"""Moves under which people would still see the same thing."""


@dataclass(frozen=True, eq=False)
class Confirmed:
    """What a network makes of pictures of given classes.

    `ranks` counts from 1: how many classes it finds at least as likely. `robust` is the share of
    randomly moved copies that it still reads as the class.
    """

    ranks: Int[Tensor, "b"]
    probabilities: Float[Tensor, "b"]
    robust: Float[Tensor, "b"]


@torch.no_grad()
def confirm(
    network: Network,
    pictures: Float[Tensor, "b c h w"],
    classes: Sequence[int],
    *,
    copies: int = 32,
    transform: Transform = ROBUST,
    seed: int = 0,
) -> Confirmed:
    """Show `network` each picture and `copies` randomly transformed copies of it.

    Raises:
        InputError: not one class for each picture, or no copies.
        NetworkError: the network does not classify.
    """
    if len(classes) != len(pictures) or copies < 1:
        raise InputError(
            f"{len(classes)} classes for {len(pictures)} pictures and {copies} copies were given; "
            "expected one class each and at least one copy"
        )
    scores = network.class_scores(pictures)
    wanted = torch.tensor(classes, device=scores.device)[:, None]
    ranks = (scores >= scores.gather(1, wanted)).sum(1)
    shares = [
        _share(network, picture.expand(copies, -1, -1, -1), target, transform, seed)
        for picture, target in zip(pictures, classes, strict=True)
    ]
    probabilities = network.reading.probabilities(scores).gather(1, wanted)[:, 0]
    return Confirmed(ranks.cpu(), probabilities.cpu(), torch.tensor(shares))


def _share(network: Network, copies: Tensor, target: int, transform: Transform, seed: int) -> float:
    streams = Streams.seeded(seed, [f"{target}/{copy}" for copy in range(len(copies))])
    scores = network.class_scores(transform(copies, streams))
    return float((scores.argmax(1) == target).float().mean())
