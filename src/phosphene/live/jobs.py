"""Long work: questions that wait, one that runs on a thread of its own, and those answered.

What is unfinished is noted in the person's state folder, a file for each atlas, and taken up again
by the next server. What is finished is in the atlas.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, RLock
from typing import Any, Literal

from phosphene.atlas import Atlas, job_key
from phosphene.data import fingerprint
from phosphene.errors import PhospheneError
from phosphene.live.asking import asked
from phosphene.live.desk import BusyError
from phosphene.live.exhibits import Exhibit
from phosphene.probes.question import Question
from phosphene.progress import heard
from phosphene.study.asking import Kept, keep
from phosphene.study.consent import state_folder
from phosphene.study.probing import PROBE, require_of

State = Literal["waiting", "running", "finished", "failed", "cancelled"]

MOST_WAITING = 100
"""Jobs that wait; more are refused."""

MOST_ENDED = 200
"""Jobs remembered after their end."""


class CancelledJob(BaseException):
    """A job is left, by its listener, between two steps."""


@dataclass(eq=False)
class Job:
    """A question put to an exhibit, and how far its answer is."""

    id: str
    exhibit: Exhibit
    question: Question
    options: Mapping[str, Any]
    title: str
    state: State = "waiting"
    done: float = 0
    total: float = 0
    words: str = ""
    error: str = ""
    probe: str = ""
    left: Event = field(default_factory=Event)


class Jobs:
    """The jobs of one server. One runs at a time, the first that came first."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._jobs: dict[tuple[str, str], Job] = {}
        self._lock, self._keys, self._closing = RLock(), RLock(), Event()
        self._thread = ThreadPoolExecutor(1, "job")

    def put(self, exhibit: Exhibit, kind: str, options: Mapping[str, Any]) -> Job:
        """The job of a question: the one there is, finished at once where the atlas has its answer.

        Raises:
            AbsentError: the network is not there.
            BusyError: too many wait.
            PhospheneError: it is no question, or rests on data that are not there.
        """
        question = asked(kind, options)
        with self._keys:  # data and network are made by one thread
            key = key_of(exhibit, question)
        with self._lock:
            there = self._jobs.get((exhibit.name, key))
            if (
                there is not None
                and there.state in ("waiting", "running")
                and not there.left.is_set()
            ):
                return there
            job = Job(key, exhibit, question, dict(options), question.title(exhibit.subject))
            if probe := _kept(exhibit, key, question.kind):
                job.state, job.probe = "finished", probe
            elif self._waiting() >= self._most:
                raise BusyError
            self._jobs.pop((exhibit.name, key), None)
            self._jobs[exhibit.name, key] = job
            self._forget()
            if job.state == "waiting":
                self._note(exhibit)
                self._thread.submit(self._run, job)
        return job

    def of(self, exhibit: Exhibit) -> list[Job]:
        """The jobs of an exhibit, the oldest first."""
        with self._lock:
            return [job for job in self._jobs.values() if job.exhibit is exhibit]

    def cancel(self, job: Job) -> None:
        """Leave a job that waits at once, one that runs at its next step."""
        with self._lock:
            job.left.set()
            if job.state == "waiting":
                job.state = "cancelled"
            self._note(job.exhibit)

    def take_up(self, exhibits: Iterable[Exhibit]) -> None:
        """Put again what an earlier server left unfinished; what cannot be put now is dropped."""
        for exhibit in exhibits:
            for noted in _noted(exhibit):
                with suppress(PhospheneError, BusyError):
                    self.put(exhibit, noted["kind"], noted["options"])

    def close(self) -> None:
        """Leave what runs at its next step; it stays noted, to be taken up again."""
        self._closing.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job) -> None:
        with self._lock:
            if job.state != "waiting" or self._closing.is_set():
                return
            job.state = "running"

        def listen(done: float, total: float, about: str = "") -> None:
            if job.left.is_set() or self._closing.is_set():
                raise CancelledJob
            job.done, job.total, job.words = float(done), float(total), about or job.words

        try:
            with heard(listen), Atlas.build(job.exhibit.path) as atlas:
                found = keep(atlas, job.exhibit.subject, job.question)
            job.probe = found.record.name if isinstance(found, Kept) else ""
            self._end(job, "finished")
        except CancelledJob:
            self._end(job, "cancelled" if job.left.is_set() else "waiting")
        except PhospheneError as error:
            self._end(job, "failed", str(error))
        except Exception as error:
            self._end(job, "failed", f"{type(error).__name__}: {error}")

    def _end(self, job: Job, state: State, error: str = "") -> None:
        with self._lock:
            job.error = error
            if state != "waiting":  # else it stays noted
                self._note(job.exhibit, ended=job)
            job.state = state  # the last: whoever sees it finds all else done

    def _waiting(self) -> int:
        return sum(job.state == "waiting" for job in self._jobs.values())

    def _forget(self) -> None:
        ended = [k for k, job in self._jobs.items() if job.state not in ("waiting", "running")]
        for key in ended[:-MOST_ENDED]:
            del self._jobs[key]

    def _note(self, exhibit: Exhibit, ended: Job | None = None) -> None:
        """Write down what is unfinished; that this fails is no harm but to the next server."""
        left = [
            {"kind": job.question.name, "options": job.options}
            for job in self.of(exhibit)
            if job is not ended and job.state in ("waiting", "running") and not job.left.is_set()
        ]
        path = _notes(exhibit)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.write_text(json.dumps(left), encoding="utf-8")
            draft.replace(path)


def key_of(exhibit: Exhibit, question: Question) -> str:
    """The key of a question's answer in the atlas, as `keep` has it.

    Raises:
        AtlasMismatchError, SettingError, DataError: it cannot be put to this exhibit.
    """
    subject = exhibit.subject
    with Atlas.open(exhibit.path) as atlas:
        require_of(atlas, subject.network)
    params = {"probe": question.kind, **question.key(subject)}
    for each in question.options():
        if each.kind == "image" and str(getattr(question, each.name)).isdecimal():
            _ = subject.data  # refused now, not when its turn has come
    data = fingerprint(subject.data) if question.rests_on_data(subject) else ""
    return job_key(PROBE, params, subject.seed, subject.network.fingerprint, data)


def _kept(exhibit: Exhibit, key: str, kind: str) -> str:
    """What the answer of that key is called in the atlas; empty where there is none."""
    with Atlas.open(exhibit.path) as atlas:
        return f"{kind}-{key[:8]}" if atlas.done(key) else ""


def _notes(exhibit: Exhibit) -> Path:
    named = hashlib.blake2b(str(exhibit.path.resolve()).encode(), digest_size=16).hexdigest()
    return state_folder() / "jobs" / f"{named}.json"


def _noted(exhibit: Exhibit) -> list[dict[str, Any]]:
    try:
        found = json.loads(_notes(exhibit).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [each for each in found[: MOST_WAITING + 1] if _is_note(each)]


def _is_note(each: object) -> bool:
    return (
        isinstance(each, dict)
        and isinstance(each.get("kind"), str)
        and isinstance(each.get("options"), dict)
    )
