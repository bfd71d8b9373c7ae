"""The job that measures what real pictures make of the layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import Subset

from phosphene.atlas import Atlas, Excerpt, JobWriter, Reads
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.maximize import Usual
from phosphene.study.job import StudyJob

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

    @property
    def title(self) -> str:
        return "measuring what is usual in the layers"

    @property
    def params(self) -> dict[str, Any]:
        return {"pictures": MOST, "least": LEAST}

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        count = length(self.study.data)
        if count < LEAST:
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
