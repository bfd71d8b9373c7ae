"""What a process does that works for another one: it gets a network and data, then tasks."""

import pickle
import threading
import time
import traceback
import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import Dataset

from phosphene.allocator import keep_freed_memory
from phosphene.errors import PhospheneError, WorkerError
from phosphene.network import Network
from phosphene.progress import heard, tell, telling
from phosphene.study.engines.likeness import Likeness
from phosphene.study.engines.travel import looked_at, parts, sent_task


@dataclass(frozen=True)
class Joined:
    """A worker that has its network and its data, and what these are; or why it has not."""

    like: Likeness | None = None
    network: str = ""
    data: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Pulse:
    """That a worker lives: how long it has computed, in seconds, and how far its task is."""

    worked: float = 0.0
    share: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What came of a task; `error` is None where it was done."""

    number: int
    value: Any = None
    seconds: float = 0.0
    error: Exception | None = None
    warned: tuple[str, ...] = field(default=())


class Worker:
    """Does one task at a time; `pulse` is asked by another thread meanwhile."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        keep_freed_memory()
        self._study: tuple[Network, Dataset[Any]] | None = None
        self._thread = threading.get_ident()
        self._share = 0.0

    def join(self, packed: bytes) -> Joined:
        """Take the network and the data; says why where they cannot be had here."""
        self._thread = threading.get_ident()
        try:
            network, data = self._study = parts(packed)
            like = Likeness.here(network.device)
            return Joined(like, network.fingerprint, looked_at(data))
        except Exception as error:
            return Joined(refused=_words(error))

    def run(self, number: int, packed: bytes) -> Answer:
        """Do a task; an error is a part of the answer."""
        self._thread, self._share = threading.get_ident(), 0.0
        began = time.perf_counter()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                value, error = self._done(packed), None
            except Exception as failure:
                value, error = None, _sendable(failure)
        said = tuple(dict.fromkeys(str(warning.message) for warning in warned))
        return Answer(number, value, time.perf_counter() - began, error, said)

    def pulse(self) -> Pulse:
        """How much time the thread of the task has computed, and how far the task is."""
        return Pulse(_computed(self._thread), self._share)

    def _done(self, packed: bytes) -> Any:
        assert self._study is not None
        found: Any = None
        with heard(self._hear), telling(""):
            tell(0.0, 1.0)
            for step in sent_task(packed, *self._study).steps():
                if isinstance(step, int | float):
                    tell(min(step, 1.0), 1.0)
                else:
                    found = step
        return found

    def _hear(self, done: float, total: float, about: str = "") -> None:
        if total:
            self._share = max(self._share, done / total)


def _computed(thread: int) -> float:
    """Processor time of a thread, in seconds; of the whole process where threads have no clock."""
    clock = getattr(time, "pthread_getcpuclockid", None)
    return time.process_time() if clock is None else time.clock_gettime(clock(thread))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, PhospheneError) else f"{type(error).__name__}: {error}"


def _sendable(error: Exception) -> Exception:
    """An error that the other process can have: ours as they are, of others what they say."""
    if isinstance(error, PhospheneError):
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return WorkerError(_words(error))
        return error.with_traceback(None)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return WorkerError(f"{_words(error)} ({last.filename}:{last.lineno})")
