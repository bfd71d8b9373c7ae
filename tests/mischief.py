"""Jobs that die, hang or answer nonsense in a worker, so many times, and then do what they should.

How often they have is told by files in a folder, which is what all processes have in common.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from phosphene.atlas import Atlas, Excerpt, JobWriter, Reads
from phosphene.network import Input, Network
from phosphene.study import Settings, Study
from phosphene.study.job import KINDS, StudyJob, UnitsJob

WAYS = ("die", "exit", "stop", "sleep", "raise", "no table", "no rows", "another job", "changed")


class Marked(TensorDataset):
    """Pictures that say which mischief is done, how often, and where that is noted."""

    folder = ""
    ways: tuple[str, ...] = ()
    times = 1


class Dimmed(Marked):
    """Pictures as bright as the environment says."""

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        (picture,) = super().__getitem__(index)
        return (picture * float(os.environ["PHOSPHENE_TEST_BRIGHTNESS"]),)


def make_mischief(folder: Path, ways: Sequence[str], times: int = 1) -> Study:
    """A very small study, with mischief for those who do its jobs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
        data = Marked(torch.rand(6, 1, 8, 8))
    data.folder, data.ways, data.times = str(folder), tuple(ways), times
    folder.mkdir(exist_ok=True)
    network = Network(module, Input(1, (8, 8)), ["a", "b", "c"], "small")
    return Study(network, data, Settings(recipes=(), examples=2, edges=0))


@dataclass(frozen=True)
class Mischief(StudyJob):
    """Writes a document, unless it does something worse before."""

    kind = "mischief"
    way: str

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        for way in getattr(study.data, "ways", ()):
            yield cls(study, way)

    @property
    def title(self) -> str:
        return f"mischief: {self.way}"

    @property
    def params(self) -> dict[str, Any]:
        return {"way": self.way}

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        yield 0.5
        if once_more(self.study, self.way):
            do(self.way, writer)
        else:
            writer.document(self.title, "managed")
        yield 1.0


@dataclass(frozen=True)
class MischiefOfUnits(UnitsJob):
    """Some of a layer's units at which every worker dies."""

    kind = "mischief of units"

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        yield cls(study, study.layers[0], range(2))

    @property
    def title(self) -> str:
        return "units that kill"

    @property
    def reads(self) -> Reads:
        return Reads()

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        do("die", writer)
        yield 1.0


def once_more(study: Study, way: str) -> bool:
    """Whether mischief is still to be done; notes that it is."""
    data: Any = study.data
    before = len(list(Path(data.folder).glob(f"{way}-*")))
    if before < data.times:
        Path(data.folder, f"{way}-{before}").touch()
    return before < data.times


def do(way: str, writer: JobWriter) -> None:
    """Do it."""
    match way:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(3600)
        case "raise":
            raise ValueError("a worker's own trouble")
        case "no table":
            writer.rows["DROP TABLE jobs"].append((1,))
        case "no rows":
            writer.rows.update(dict.fromkeys(("a", "b"), 7))  # type: ignore[arg-type]
        case "another job" | "changed":
            writer.document("mischief", "of another")
            for statement, ((key, name, text, checksum),) in list(writer.rows.items()):
                row = ("another", name, text, checksum), (key, name, '"else"', checksum)
                writer.rows[statement] = [row[way == "changed"]]


for _kind in (Mischief, MischiefOfUnits):
    KINDS.pop(_kind.kind)  # they are part of the studies of single tests alone
