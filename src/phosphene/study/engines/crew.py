"""Workers in other processes: whoever dies, hangs or answers nonsense is replaced.

What was lost with a worker is given to another one, a bounded number of times.
"""

import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from types import TracebackType

import torch

from phosphene.errors import PhospheneError, WorkerError
from phosphene.study.engines.engine import OF_ONE_LAYER, Failed, Found, News, Task, Told
from phosphene.study.engines.hand import Gone, Hand, Message, Place, Up
from phosphene.study.engines.likeness import Likeness
from phosphene.study.engines.travel import looked_at, packed_parts, packed_task
from phosphene.study.engines.worker import Answer, Joined, Pulse
from phosphene.study.plan import Study

ATTEMPTS = 4
"""How often a task is tried before it is told as failed."""

BEGINNINGS = 3
"""How many workers in a row may fail to begin, where none works, before that is told."""

BEAT = 1.0
"""Seconds between two signs of life."""

SILENCE = 60 * BEAT
"""Without a sign for so long a worker is taken for hung."""

STILL = 120 * BEAT
"""Without having computed for so long, though it gives signs, a worker is taken for hung.

What waits for a disk or for its own readers computes now and then.
"""

_LONGEST_PAUSE = 60.0


class Crew(ABC):
    """An engine of workers, each with `threads` threads and one task at a time."""

    remote = True

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._places: list[Place] = []
        self._todo: deque[Task] = deque()
        self._tried: dict[int, list[str]] = {}
        self._study: Study | None = None
        self._parts: bytes | None = None
        self._like: Likeness | None = None
        self._looked = ""
        self._refused: list[str] = []
        self._not_before = 0.0
        self._asked = time.monotonic()
        self._said: set[str] = set()
        self._threads_before = torch.get_num_threads()

    @property
    @abstractmethod
    def wanted(self) -> int:
        """How many workers there may be now."""

    @abstractmethod
    def hire(self) -> Hand:
        """Begin with one more worker; raises `WorkerError` where that cannot be."""

    @abstractmethod
    def wait(self, hands: Sequence[Hand], seconds: float) -> None:
        """Wait until one of the workers says something, but no longer."""

    @property
    def working(self) -> int:
        """How many workers have joined and are there."""
        return sum(place.joined for place in self._places)

    def __enter__(self) -> "Crew":
        # What is computed here meanwhile is computed as they compute.
        self._threads_before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        torch.set_num_threads(self._threads_before)
        places, self._places = self._places, []
        for place in places:
            place.hand.end()

    def about(self, study: Study) -> None:
        self._study, self._parts = study, None  # what an earlier build left is not this one's
        self._todo.clear()
        self._tried.clear()
        self._refused.clear()
        self._not_before, self._asked = 0.0, time.monotonic()
        self._hire()

    @property
    def free(self) -> int:
        """One task for each worker may wait, so that who has done one has the next at once."""
        busy = sum(place.task is not None for place in self._places)
        return max(0, self.wanted + self.working - busy - len(self._todo))

    def submit(self, task: Task) -> None:
        self._todo.append(task)
        if self._parts is None:
            assert self._study is not None
            self._like = Likeness.here(self._study.network.device)
            self._looked = looked_at(self._study.data)
            self._parts = self.packed(self._study)
            for place in self._places:
                if place.watched:
                    self._equip(place)

    def packed(self, study: Study) -> bytes:
        """The network and the data of a study."""
        return packed_parts(study)

    def news(self, seconds: float) -> Sequence[News]:
        self._hire()
        found = self._assign()
        self.wait([place.hand for place in self._places], 0 if found else seconds)
        self._forgive()
        for place in list(self._places):
            for message in place.hand.heard():
                if place in self._places:
                    found += self._take(place, message)
        for place in list(self._places):
            if why := self._hung(place):
                found += self._lost(place, why)
        return [*found, *self._assign()]

    def _hire(self) -> None:
        """Fill the places that are empty; let go of who is too many and has nothing to do."""
        idle = [place for place in self._places if place.task is None]
        for place in idle[: max(0, len(self._places) - self.wanted)]:
            self._places.remove(place)
            place.hand.end()
        if time.monotonic() < self._not_before:
            return
        for _ in range(self.wanted - len(self._places)):
            self._places.append(Place(self.hire()))

    def _assign(self) -> list[News]:
        """Give tasks to who has none; the news of those that cannot be sent."""
        news: list[News] = []
        for place in self._places:
            while self._todo and place.joined and place.task is None:
                task = self._todo.popleft()
                try:
                    packed = packed_task(task)
                except WorkerError as error:
                    news.append(Failed(task.number, error))
                    continue
                place.task, place.share, place.worked = task, 0.0, -1.0
                place.sign = place.moved = time.monotonic()
                place.hand.start(task.number, packed)
        return news

    def _take(self, place: Place, message: Message) -> list[News]:
        place.sign = time.monotonic()
        match message:
            case Gone(why):
                return self._lost(place, why)
            case Up():
                place.watched, place.moved = True, place.sign
                if self._parts is not None:
                    self._equip(place)
            case Joined():
                self._welcome(place, message)
            case Pulse(worked, share):
                return self._felt(place, worked, share)
            case Answer():
                return self._answered(place, message)
        return []

    def _equip(self, place: Place) -> None:
        assert self._parts is not None
        place.hand.join(self._parts)
        place.sign = place.moved = time.monotonic()

    def _welcome(self, place: Place, joined: Joined) -> None:
        """Let a worker join that has the same network and data; say in what else it differs."""
        assert self._study is not None
        assert self._like is not None
        why = joined.refused
        if not why and joined.network != self._study.network.fingerprint:
            why = "its network has other weights"
        if not why and joined.data != self._looked:
            why = "it does not find the same pictures; the data must lie at the same place for all"
        if not why and joined.like and joined.like.phosphene != self._like.phosphene:
            why = f"it has phosphene {joined.like.phosphene}, not {self._like.phosphene}"
        if why or joined.like is None:
            self._lost(place, f"it could not begin: {why}")
            return
        place.joined, place.moved = True, time.monotonic()
        self._refused.clear()
        if other := self._like.differences(joined.like):
            self._say(
                f"a worker differs from this process ({other}): its results may differ in the "
                "last digits"
            )

    def _felt(self, place: Place, worked: float, share: float) -> list[News]:
        if worked > place.worked + 0.01 * BEAT or share > place.share:
            place.worked, place.moved = worked, time.monotonic()
        if place.task is None or share <= place.share:
            return []
        place.share = share
        return [Told(place.task.number, share)]

    def _answered(self, place: Place, answer: Answer) -> list[News]:
        """Take an answer to the task that the worker has; any other is nonsense."""
        task = place.task
        if task is None or answer.number != task.number:
            return self._lost(place, f"it answered {answer.number}, which nobody had asked it")
        for said in answer.warned:
            self._say(said)
        error = answer.error
        if error is None:
            try:
                found = task.check(answer.value)
            except Exception as nonsense:  # whatever comes of what nobody meant
                return self._lost(place, f"it answered nonsense: {nonsense}")
        place.task = None
        if error is None:
            self._tried.pop(task.number, None)
            return [Found(task.number, found, answer.seconds)]
        if isinstance(error, OF_ONE_LAYER):
            return [Failed(task.number, error)]
        place.task = task
        return self._lost(place, str(error), error)

    def _hung(self, place: Place) -> str:
        """Why a worker is taken for hung; nothing where it is not."""
        if not place.watched or (place.task is None and place.joined) or self._parts is None:
            return ""
        now = time.monotonic()
        if now - place.sign > SILENCE:
            return f"it gave no sign of life for {SILENCE:.0f} s"
        if now - place.moved > STILL:
            return f"it computed nothing for {STILL:.0f} s"
        return ""

    def _forgive(self) -> None:
        """Hold nobody to blame for the time in which nobody asked."""
        now = time.monotonic()
        away, self._asked = now - self._asked, now
        if away > 5 * BEAT:
            for place in self._places:
                place.sign += away
                place.moved += away

    def _lost(self, place: Place, why: str, error: Exception | None = None) -> list[News]:
        """Let a worker go; its task goes to another one, or has been tried often enough."""
        self._places.remove(place)
        place.hand.end()
        if not place.joined:
            self._began_badly(why)
        task = place.task
        if task is None:
            return []
        tried = self._tried.setdefault(task.number, [])
        tried.append(why)
        if len(tried) < ATTEMPTS:
            self._todo.appendleft(task)
            return []
        del self._tried[task.number]
        if isinstance(error, PhospheneError) and not isinstance(error, WorkerError):
            return [Failed(task.number, error)]
        reasons = ", then ".join(dict.fromkeys(tried))
        told = f"{len(tried)} workers in turn could not do it: {reasons}"
        return [Failed(task.number, WorkerError(told))]

    def _began_badly(self, why: str) -> None:
        self._refused.append(why)
        self._not_before = time.monotonic() + min(0.2 * 2 ** len(self._refused), _LONGEST_PAUSE)
        if len(self._refused) >= BEGINNINGS and not self.working:
            raise WorkerError(
                f"{len(self._refused)} workers in turn did not begin, the last because {why}. "
                "Build it here with --on here"
            )

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            warnings.warn(text, stacklevel=2)
