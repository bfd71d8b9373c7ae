"""A small decoder trained on the data itself, so that pictures can be sought among likely ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from phosphene.canvas import Autoencoder
from phosphene.data.dataset import length
from phosphene.errors import SettingError, SizeError
from phosphene.streams import derived
from phosphene.training import Training
from phosphene.training.feed import Feed
from phosphene.training.loop import resumable

DECODER = Training("Adam", learning_rate=1e-3, batch=128, steps=5_000)


class VariationalAutoencoder(Autoencoder):
    """Convolutions of 3x3 that halve the picture, `codes` numbers, and the same way back.

    `widths` are the channels after each halving. Pictures may have any size and any number of
    channels: odd sides are rounded up on the way in and kept in mind on the way out, where
    enlarging by repetition comes before each convolution (transposed ones leave checkerboards).
    The encoder gives mean and log-variance of each code; `encode` gives the mean.

    Raises:
        SettingError: no codes at all, or no widths.

    *Source:* Kingma & Welling 2013, "Auto-Encoding Variational Bayes" (arXiv 1312.6114), whose
    networks are dense; Odena et al. 2016, "Deconvolution and Checkerboard Artifacts", Distill.

    >>> autoencoder = VariationalAutoencoder((3, 27, 40), codes=8)
    >>> codes = autoencoder.encode(torch.rand(2, 3, 27, 40))
    >>> codes.shape, autoencoder.decode(codes).shape
    (torch.Size([2, 8]), torch.Size([2, 3, 27, 40]))
    """

    def __init__(
        self, shape: tuple[int, int, int], codes: int = 16, widths: Sequence[int] = (32, 64)
    ) -> None:
        if codes < 1 or not widths:
            raise SettingError(
                f"{codes} codes after widths {widths}; expected at least one of each"
            )
        super().__init__(shape, codes)
        sizes = [shape[1:]]
        for _ in widths:
            height, width = sizes[-1]
            sizes.append(((height + 1) // 2, (width + 1) // 2))
        channels = [shape[0], *widths]
        features = channels[-1] * sizes[-1][0] * sizes[-1][1]
        into: list[nn.Module] = []
        for before, after in pairwise(channels):
            into += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.SiLU()]
        self.encoder = nn.Sequential(*into, nn.Flatten(), nn.Linear(features, 2 * codes))
        out: list[nn.Module] = [
            nn.Linear(codes, features),
            nn.Unflatten(1, (channels[-1], *sizes[-1])),
        ]
        for before, after, size in zip(
            channels[:0:-1], channels[-2::-1], sizes[-2::-1], strict=True
        ):
            out += [nn.SiLU(), nn.Upsample(size), nn.Conv2d(before, after, 3, padding=1)]
        self.decoder = nn.Sequential(*out)

    def distribution(
        self, pictures: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """Mean and log-variance of the codes of `pictures`."""
        mean, log_variance = self.encoder(pictures).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """The mean of the codes of `pictures`."""
        return self.distribution(pictures)[0]

    def logits(self, codes: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """What `decode` takes the sigmoid of."""
        logits: Tensor = self.decoder(codes)
        return logits

    def decode(self, codes: Float[Tensor, "b d"]) -> Float[Tensor, "b c h w"]:
        """The pictures of `codes`, in [0, 1]."""
        return self.logits(codes).sigmoid()


@dataclass(frozen=True)
class DecoderStep:
    """`index` counts from 1; the rest is of the step's own batch, in nats per picture.

    `reconstruction` is the cross-entropy of the pixels, `divergence` how far the codes are from
    standard normal (Kullback-Leibler); their sum, the loss, bounds -log p(picture) from above.
    """

    index: int
    reconstruction: float
    divergence: float

    @property
    def loss(self) -> float:
        """Reconstruction and divergence."""
        return self.reconstruction + self.divergence


def train_decoder(
    autoencoder: VariationalAutoencoder,
    dataset: Dataset[Any],
    path: str | Path,
    recipe: Training = DECODER,
) -> Iterator[DecoderStep]:
    """Train `autoencoder` on pictures, with labels or without, and write its weights to `path`.

    The loss of a picture x whose codes are N(mu, sigma^2), one of them being z, is

        sum BCE(x, decode(z)) + 1/2 sum (mu^2 + sigma^2 - log sigma^2 - 1)

    over pixels and over codes, averaged over the batch: the binary cross-entropy of grey levels
    taken as probabilities, and the Kullback-Leibler divergence from the standard normal.

    It saves, resumes and ends as `train` does.

    Raises:
        WeightsError: `path` holds the weights of another recipe or of another autoencoder.
        DataError: no pictures at all.
        SizeError: pictures of another shape than the autoencoder's.

    *Source:* Kingma & Welling 2013, "Auto-Encoding Variational Bayes" (arXiv 1312.6114), eq. 10,
    one sample per picture.
    """
    recipe = recipe.for_pictures(length(dataset))
    feed = Feed(dataset, recipe, labelled=False)

    def step(optimizer: torch.optim.Optimizer, index: int) -> DecoderStep:
        pictures, _ = feed.batch(index - 1)
        _check_shape(autoencoder, pictures)
        pictures = pictures.to(autoencoder.device)
        generator = torch.Generator().manual_seed(derived(recipe.seed, "codes", index))
        noise = torch.randn(len(pictures), autoencoder.codes, generator=generator)
        autoencoder.train()
        reconstruction, divergence = bound(autoencoder, pictures, noise.to(pictures))
        optimizer.zero_grad()
        (reconstruction + divergence).backward()
        optimizer.step()
        return DecoderStep(index, float(reconstruction.detach()), float(divergence.detach()))

    yield from resumable(autoencoder, feed, path, step, shape=list(autoencoder.shape))


def bound(
    autoencoder: VariationalAutoencoder,
    pictures: Float[Tensor, "b c h w"],
    noise: Float[Tensor, "b d"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Reconstruction and divergence, in nats per picture; `noise` is standard normal."""
    mean, log_variance = autoencoder.distribution(pictures)
    logits = autoencoder.logits(mean + noise * (log_variance / 2).exp())
    pixels = F.binary_cross_entropy_with_logits(logits, pictures, reduction="sum")
    codes = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
    return pixels / len(pictures), codes / len(pictures)


def _check_shape(autoencoder: VariationalAutoencoder, pictures: Tensor) -> None:
    given = tuple(pictures.shape[1:])
    if given != autoencoder.shape:
        raise SizeError(
            f"pictures of {given} were given to an autoencoder of {autoencoder.shape} "
            "(channels, height, width); bring them to its shape"
        )
