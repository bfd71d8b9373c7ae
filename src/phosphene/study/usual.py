"""The job that measures what real pictures make of the layers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch.utils.data import Subset

from phosphene.atlas import Atlas, Excerpt, JobWriter, Reads
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.maximize import Usual
from phosphene.study.cost import Cost
from phosphene.study.job import StudyJob

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

MOST = 256
"""Pictures; means and deviations of that many are known to a few per cent."""


LEAST = 200
"""Of fewer pictures what they have in common is taken for what is usual: see docs/decisions.md."""


@dataclass(frozen=True)
class MeasureUsual(StudyJob):
    """Means and deviations of the units of all default layers over some pictures of the data.

    Fewer than `LEAST` say nothing; then it is what the network itself remembers.
    """

    kind = "usual"
    least: int = LEAST

    @property
    def title(self) -> str:
        return "measuring what is usual in the layers"

    @property
    def params(self) -> dict[str, Any]:
        return {"pictures": MOST, "least": self.least}

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        count = length(self.study.data)
        if count < self.least:
            writer.document("usual", Usual.remembered(self.study.network).to_json())
            yield 1.0
            return
        step = max(1, count // MOST)
        some = Subset(self.study.data, range(0, step * min(MOST, count), step))
        found = batches(some, self.study.batch, self.study.settings.workers)
        pictures = (batch.pictures for batch in found if len(batch.indices))
        try:
            usual = Usual.measure(self.study.network, pictures)
        except DataError:  # pictures to which a layer answers no number bar nothing
            usual = Usual.remembered(self.study.network)
        writer.document("usual", usual.to_json())
        yield 1.0

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        if rehearsal.count < self.least:
            return rehearsal.cost(replace(self, study=rehearsal.study), keep=True)
        small = rehearsal.cost(replace(self, study=rehearsal.study, least=0), keep=True)
        return small.times(min(MOST, rehearsal.count) / rehearsal.seen)
