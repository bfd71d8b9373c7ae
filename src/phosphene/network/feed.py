"""How many pictures a network takes at once, and how any number of them is shown to it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.network.sites import Site
from phosphene.network.tapping import tap


@dataclass(frozen=True)
class Feed:
    """At least `least` pictures at once, or exactly `batch` where that is written into the code.

    What is missing is filled up by repeating the last picture; its rows are cut off again.
    """

    batch: int | None = None
    least: int = 1

    def parts(self, inputs: Tensor) -> Iterator[tuple[Tensor, int]]:
        """The inputs in parts that can be shown, and how many of each part count.

        >>> [(len(part), count) for part, count in Feed(batch=4).parts(torch.zeros(5, 1))]
        [(4, 4), (4, 1)]
        >>> [(len(part), count) for part, count in Feed(least=2).parts(torch.zeros(1, 1))]
        [(2, 1)]
        """
        for part in inputs.split(self.batch) if self.batch and len(inputs) else [inputs]:
            short = (self.batch or self.least) - len(part)
            if short > 0 and len(part):
                yield torch.cat([part, part[-1:].expand(short, *part.shape[1:])]), len(part)
            else:
                yield part, len(part)


ANY = Feed()


def shown(
    module: nn.Module,
    feed: Feed,
    inputs: Tensor,
    sites: Collection[Site],
    run: Callable[[Tensor], Any],
    *,
    stop: bool = True,
    take: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """The values at `sites`, a row for each of `inputs`, shown by `run` as `feed` says.

    See `tap` for `stop` and `take`. A value that has no row for each picture of a part is given
    back as it is where there is one part, and left out where there are several.
    """
    found: list[dict[str, Tensor]] = []
    for part, count in feed.parts(inputs):
        with tap(module, sites, stop, take) as values:
            run(part)
        if len(part) == len(inputs):
            return values
        found.append({n: value[:count] for n, value in values.items() if len(value) == len(part)})
    names = [name for name in found[0] if all(name in part for part in found)]
    return {name: torch.cat([part[name] for part in found]) for name in names}
