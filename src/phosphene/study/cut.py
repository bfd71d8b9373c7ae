"""The shards of a job that is under way: handed out ahead, taken in in their order."""

from collections import deque
from functools import partial
from typing import Any

from phosphene.atlas import Atlas
from phosphene.study.job import ShardedJob

_WAITING = object()

AHEAD = 8
"""Shards that are found before their turn are held in memory, and no more than these."""


class Cut:
    """What is done of a job that is cut into shards, which end in any order."""

    def __init__(self, job: ShardedJob, atlas: Atlas) -> None:
        self.job, self.atlas = job, atlas
        self.gathered = job.begun(atlas)
        self.left = deque(job.shards(self.gathered))
        self.out: dict[range, Any] = {}
        self.shares: dict[range, float] = {}
        self._taken = 0.0

    def next(self) -> range | None:
        """The next shard to be worked on; None while enough of them wait for their turn."""
        if not self.left or self._held >= AHEAD:
            return None
        shard = self.left.popleft()
        self.out[shard] = _WAITING
        return shard

    def check(self, shard: range) -> "partial[Any]":
        """What makes of a finding what can be taken in."""
        return partial(self.job.parsed, self.gathered, shard)

    def found(self, shard: range, part: Any) -> None:
        """Hold what was found in a shard, and take in all whose turn it is."""
        self.out[shard] = part
        self.shares.pop(shard, None)
        while self.out and next(iter(self.out.values())) is not _WAITING:
            first = self.out.pop(next(iter(self.out)))
            self._taken = self.job.take(self.gathered, first, self.atlas)

    @property
    def done(self) -> bool:
        """Whether all shards are taken in."""
        return not self.left and not self.out

    @property
    def share(self) -> float:
        """The share of the job that is done, with what is found and not taken in yet."""
        ahead: float = sum(len(shard) for shard, part in self.out.items() if part is not _WAITING)
        ahead += sum(len(shard) * share for shard, share in self.shares.items())
        waiting = sum(map(len, (*self.left, *self.out)))
        return min(1.0, self._taken + (1 - self._taken) * ahead / max(1, waiting))

    @property
    def _held(self) -> int:
        return sum(part is not _WAITING for part in self.out.values())
