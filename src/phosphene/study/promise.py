"""What a build was to cost, kept in its atlas beside what it did cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from phosphene.atlas import Atlas, job_key
from phosphene.study.job import PRICE
from phosphene.study.plan import Study
from phosphene.study.pricing import Price
from phosphene.words import duration


@dataclass(frozen=True)
class Promise:
    """The price that was told last, as values; `took` are the seconds of builds since then.

    `chosen` are the settings that a budget led to, so that the next build takes the same.
    """

    key: str
    price: Mapping[str, Any] | None = None
    chosen: Mapping[str, Any] | None = None
    took: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def read(cls, atlas: Atlas, key: str) -> "Promise":
        """What an atlas knows of it."""
        return next((each for each in cls.all_of(atlas) if each.key == key), cls(key))

    @classmethod
    def all_of(cls, atlas: Atlas) -> "list[Promise]":
        """Those of an atlas: one, or none."""
        return [cls(job.key, **job.params) for job in atlas.jobs(PRICE)]

    @classmethod
    def noted(cls, atlas: Atlas, study: Study, price: Price | None) -> "Promise":
        """That of a study, and in its atlas, where there is a price to promise."""
        found = cls.read(atlas, key_of(study))
        if price is None:
            return found
        promise = replace(found, price=price.to_json(), chosen=price.chosen, took=0.0)
        promise._write(atlas)
        return promise

    def until(self, seconds: float) -> Callable[[str], bool]:
        """Says whether the job with a key, begun now, will have ended in so many seconds."""
        jobs = self.price["jobs"] if self.price else {}
        end = self.begun + seconds
        return lambda key: time.monotonic() + jobs.get(key, 0.0) <= end

    @property
    def summary(self) -> str:
        """What was promised and what it took."""
        if self.price is None:
            return "No price was told."
        promised = self.price["seconds"] - self.price["spent"]
        return f"It took {duration(self.took)}, where {duration(promised)} were promised."

    def kept(self, atlas: Atlas) -> None:
        """Note how long it took."""
        if self.price is not None:
            replace(self, took=self.took + time.monotonic() - self.begun)._write(atlas)

    def _write(self, atlas: Atlas) -> None:
        told = {"price": self.price, "chosen": self.chosen, "took": self.took}
        with atlas.job(self.key, PRICE, "what it was to cost, and did", told):
            pass


def key_of(study: Study) -> str:
    """The key of what a study was to cost."""
    return job_key(PRICE, {}, None, study.network.fingerprint, study.data_fingerprint)
