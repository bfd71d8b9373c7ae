"""What all pieces of work of a study have in common.

Each job reads the study and what earlier jobs left in the atlas, and adds its records. What it
does follows from its parameters, the seed, the network and the data alone, so a job that was
done need not be done again, and one that was cut short starts afresh.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from phosphene.atlas import Atlas, JobWriter, job_key
from phosphene.study.plan import Study


@dataclass(frozen=True)
class StudyJob(ABC):
    """One piece of work; `run` yields the share done so far."""

    study: Study
    kind: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """What the progress bar says."""

    @property
    def params(self) -> dict[str, Any]:
        """What its outcome depends on, besides seed, network and data."""
        return {}

    @property
    def key(self) -> str:
        """Names the job; the same work has the same key."""
        return job_key(
            self.kind,
            self.params,
            self.study.settings.seed,
            self.study.network.fingerprint,
            self.study.data_fingerprint,
        )

    @abstractmethod
    def run(self, atlas: Atlas, writer: JobWriter) -> Iterator[float]:
        """Do the work and add what it found."""
