"""Long work: what waits, one that runs on a thread of its own, and what ended.

What is unfinished is noted in the person's state folder and taken up again by the next server, but
not for ever: what was at work twice when a server ended is given up. What is finished is in the
atlas.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event, RLock, Thread
from typing import Any, Literal

from phosphene.atlas import Atlas
from phosphene.errors import PhospheneError
from phosphene.live.asking import others_of
from phosphene.live.desk import BusyError
from phosphene.live.exhibits import Exhibit
from phosphene.live.notes import MOST_ENDED, Note, note, noted
from phosphene.live.work import Page, Work, work_of
from phosphene.progress import heard

State = Literal["waiting", "running", "finished", "failed", "cancelled"]

MOST_WAITING = 100
"""Jobs that wait; more are refused."""

MOST_BEGUN = 2
"""So often a job is begun by one server after another; then it is given up."""

_OPEN = ("waiting", "running")


class CancelledJob(BaseException):
    """A job is left, by its listener, between two steps."""


@dataclass(eq=False)
class Job:
    """Work on an exhibit, and how far it is; `work` is None of one that an earlier server ended.

    `begun` counts how often it was begun without coming to an end.
    """

    id: str
    exhibit: Exhibit
    kind: str
    options: Mapping[str, Any]
    title: str
    work: Work | None = None
    state: State = "waiting"
    done: float = 0
    total: float = 0
    words: str = ""
    error: str = ""
    page: Page | None = None
    begun: int = 0
    ending: State | None = None
    left: Event = field(default_factory=Event)

    @property
    def open(self) -> bool:
        """Whether it waits or runs, and goes on to."""
        return self.state in _OPEN and self.ending is None and not self.left.is_set()

    def note(self) -> Note:
        """What the next server is told of it."""
        asked = {"kind": self.kind, "options": dict(self.options)}
        if self.open:
            return asked | {"begun": self.begun}
        state = "cancelled" if self.left.is_set() else self.ending or self.state
        told = {"id": self.id, "title": self.title, "state": state, "error": self.error}
        return asked | told | {"page": None if self.page is None else list(self.page)}


class Jobs:
    """The jobs of one server. One runs at a time, the first that came first."""

    def __init__(self, exhibits: Iterable[Exhibit] = (), most: int = MOST_WAITING) -> None:
        self._most, self._exhibits = most, tuple(exhibits)
        self._jobs: dict[tuple[str, str], Job] = {}
        self._lock, self._keys, self._closing = RLock(), RLock(), Event()
        self._line: SimpleQueue[Job | None] = SimpleQueue()
        # Not waited for by the end of the process: a step may take long, and nothing is lost.
        self._thread = Thread(target=self._work, name="jobs", daemon=True)

    def put(self, exhibit: Exhibit, kind: str, options: Mapping[str, Any], begun: int = 0) -> Job:
        """The job of some work: the one there is, finished at once where the atlas has its answer.

        Raises:
            AbsentError: the network is not there.
            BusyError: too many wait.
            PhospheneError: there is no such work, or it rests on data that are not there.
        """
        with self._keys:  # data and network are made by one thread
            work = work_of(exhibit, kind, options, others_of(exhibit, self._exhibits))
            page = work.there()
        with self._lock:
            there = self._jobs.get((exhibit.name, work.key))
            if there is not None and there.open:
                return there
            job = Job(work.key, exhibit, kind, work.options, work.title, work, begun=begun)
            if page is not None:
                job.state, job.page = "finished", page
            elif self._waiting() >= self._most:
                raise BusyError
            self._keep(job)
            if job.state == "waiting":
                self._line.put(job)
                if not self._thread.is_alive() and not self._closing.is_set():
                    self._thread.start()
        return job

    def of(self, exhibit: Exhibit) -> list[Job]:
        """The jobs of an exhibit, the oldest first."""
        with self._lock:
            return [job for job in self._jobs.values() if job.exhibit is exhibit]

    def cancel(self, job: Job) -> None:
        """Leave a job that waits at once, one that runs at its next step."""
        with self._lock:
            if not job.open:
                return
            if job.state == "waiting":
                job.state = "cancelled"
            job.left.set()
            self._note(job.exhibit)

    def take_up(self) -> None:
        """List what earlier servers ended, and put again what they left unfinished.

        What cannot be put now, and what was begun too often, is listed as failed.
        """
        for exhibit in self._exhibits:
            left, ended = noted(exhibit.path)
            for each in ended:
                self._list(exhibit, each)
            for each in left:
                self._again(exhibit, each)

    def close(self) -> None:
        """Leave what runs at its next step; it stays noted, to be taken up again."""
        with self._lock:
            self._closing.set()
            running = [job for job in self._jobs.values() if job.state == "running"]
            for job in running:  # it did not end the server
                job.begun -= 1
                self._note(job.exhibit)
        self._line.put(None)

    @property
    def busy(self) -> bool:
        """Whether something is still at work, as for a while after `close`."""
        return self._thread.is_alive()

    def _list(self, exhibit: Exhibit, each: Note) -> None:
        """List what an earlier server ended; what is finished as far as the atlas has it."""
        page = each.get("page")
        if each["state"] == "finished" and not (page and _has(exhibit, *page)):
            return
        told = {key: each[key] for key in ("id", "kind", "options", "title", "state", "error")}
        with self._lock:
            self._keep(Job(exhibit=exhibit, page=tuple(page) if page else None, **told))

    def _again(self, exhibit: Exhibit, each: Note) -> None:
        """Put again what was left, or list why not."""
        kind, options = each["kind"], each["options"]
        error = self._refused(exhibit, each)
        if error is None:
            return
        told = json.dumps([kind, options], sort_keys=True, default=str).encode()
        name = hashlib.blake2b(told, digest_size=16).hexdigest()
        with self._lock:
            self._keep(Job(name, exhibit, kind, options, kind, state="failed", error=error))

    def _refused(self, exhibit: Exhibit, each: Note) -> str | None:
        """Put again what was left; why it was not, if so."""
        if each["begun"] >= MOST_BEGUN:
            return (
                f"It was at work {each['begun']} times when the server ended, and was given up. "
                "Ask again to try it once more"
            )
        try:
            self.put(exhibit, each["kind"], each["options"], each["begun"])
        except BusyError:
            return "too many waited; ask again"
        except PhospheneError as failed:
            return str(failed)
        return None

    def _work(self) -> None:
        while (job := self._line.get()) is not None:
            self._run(job)

    def _run(self, job: Job) -> None:
        with self._lock:
            if job.state != "waiting" or self._closing.is_set():
                return
            job.state, job.begun = "running", job.begun + 1
            self._note(job.exhibit)

        def listen(done: float, total: float, about: str = "") -> None:
            if job.left.is_set() or self._closing.is_set():
                raise CancelledJob
            job.done, job.total, job.words = float(done), float(total), about or job.words

        assert job.work is not None, "it was put here"
        try:
            with heard(listen):
                job.page = job.work.run()
            self._end(job, "finished")
        except CancelledJob:
            self._end(job, "cancelled" if job.left.is_set() else "waiting")
        except PhospheneError as error:
            self._end(job, "failed", str(error))
        except BaseException as error:  # whatever it was, the others are still done
            self._end(job, "failed", f"{type(error).__name__}: {error}")

    def _end(self, job: Job, state: State, error: str = "") -> None:
        with self._lock:
            job.error = error
            if state == "waiting":  # it stays noted
                return
            job.ending = state
            self._note(job.exhibit)
            job.state = state  # the last: whoever sees it finds all else done

    def _waiting(self) -> int:
        return sum(job.state == "waiting" for job in self._jobs.values())

    def _keep(self, job: Job) -> None:
        """Put a job at the end of the list, and forget the oldest of those that ended."""
        for key, each in list(self._jobs.items()):
            again = each.kind == job.kind and dict(each.options) == dict(job.options)
            if each.exhibit is job.exhibit and (each.id == job.id or (again and not each.open)):
                del self._jobs[key]
        self._jobs[job.exhibit.name, job.id] = job
        ended = [key for key, each in self._jobs.items() if each.state not in _OPEN]
        for key in ended[:-MOST_ENDED]:
            del self._jobs[key]
        self._note(job.exhibit)

    def _note(self, exhibit: Exhibit) -> None:
        """Write down what is unfinished and what ended."""
        jobs = self.of(exhibit)
        left = [job.note() for job in jobs if job.open]
        note(exhibit.path, left, [job.note() for job in jobs if not job.open])


def _has(exhibit: Exhibit, kind: str, name: str) -> bool:
    """Whether the atlas has what an answer's page shows."""
    with Atlas.open(exhibit.path) as atlas:
        found = atlas.probes() if kind == "probe" else atlas.layers()
        return any(each.name == name for each in found)
