"""b independent random streams, one per image.

What is drawn for a unit depends on (seed, layer, unit) alone: not on which units share its
batch, on the device, nor on the process that draws it.
"""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor


class Streams:
    """One CPU generator per image.

    >>> together = Streams.seeded(0, ["conv1:0", "conv1:1"]).uniform(3)
    >>> alone = Streams.seeded(0, ["conv1:1"]).uniform(3)
    >>> bool((together[1] == alone[0]).all())
    True
    """

    def __init__(self, generators: Sequence[Generator]) -> None:
        self.generators = tuple(generators)

    @classmethod
    def seeded(cls, seed: int, names: Iterable[object]) -> "Streams":
        """Streams for images called `names`, e.g. the units they are drawn for."""
        return cls([torch.Generator().manual_seed(derived(seed, name)) for name in names])

    def __len__(self) -> int:
        return len(self.generators)

    def uniform(self, count: int) -> Float[Tensor, "b count"]:
        """Numbers in [0, 1)."""
        return torch.stack([torch.rand(count, generator=g) for g in self.generators])

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Standard normal numbers of `shape` for each image."""
        return torch.stack([torch.randn(*shape, generator=g) for g in self.generators])


def derived(seed: int, *names: object) -> int:
    """A seed of its own for whatever `names` name, in 63 bits.

    >>> derived(0, "conv1:0") == derived(0, "conv1:1")
    False
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
