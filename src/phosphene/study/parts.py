"""A part of the pass over the data, for machines that never meet: see `phosphene merge`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.atlas import Atlas, Job, JobWriter
from phosphene.errors import SettingError
from phosphene.study.gathering import Gathering, ThroughData, records, shard_count
from phosphene.study.job import StudyJob
from phosphene.study.plan import Study
from phosphene.study.whole import PART, Pass
from phosphene.survey.tree import cut


@dataclass(frozen=True)
class PartOfPass(ThroughData):
    """The pass over part `number` of `of`, counted from 1; it is gone when the pass is done."""

    kind = PART
    number: int
    of: int

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        """None: a part is asked for by itself."""
        yield from ()

    @classmethod
    def belongs(cls, job: Job, study: Study) -> bool:
        """Whether a job that is there is a part of this study's pass."""
        return bool(job.params.get("pass") == Pass(study).key)

    @property
    def title(self) -> str:
        return f"looking at part {self.number} of {self.of} of {self.study.data_name}"

    @property
    def through(self) -> range:
        """The shards that it goes through.

        Raises:
            SettingError, DataError: there is no such part, or fewer shards than parts.
        """
        if not 1 <= self.number <= self.of:
            raise SettingError(
                f"there is no part {self.number} of {self.of}; the parts of two are 1/2 and 2/2"
            )
        return cut(shard_count(self.study), self.of)[self.number - 1]

    @property
    def params(self) -> dict[str, Any]:
        whole, shards = Pass(self.study), self.through
        return whole.params | {"pass": whole.key, "shards": [shards.start, shards.stop]}

    def begun(self, atlas: Atlas) -> Gathering:
        return Gathering(self.study, self._kept(atlas), self.key, self.through)

    def conclude(self, gathered: Gathering, writer: JobWriter) -> None:
        writer.add(*records(gathered.tree, Pass(self.study).key))

    def tidy(self, atlas: Atlas) -> None:
        self._kept(atlas).unlink(missing_ok=True)

    def _kept(self, atlas: Atlas) -> Path:
        return atlas.path.with_name(f"{atlas.path.name}.part-{self.number}-of-{self.of}")
