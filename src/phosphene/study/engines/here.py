"""The engine that is none: all is done in this process, one task after another."""

import time
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any

from phosphene.errors import WorkerError
from phosphene.study.engines.engine import Failed, Found, News, Task, Told
from phosphene.study.plan import Study


class Here:
    """Takes one task at a time, and goes on with it a step whenever news are asked for."""

    remote = False

    def __init__(self) -> None:
        self._task: Task | None = None
        self._steps: Generator[Any, None, None] | None = None
        self._began = 0.0

    def __enter__(self) -> "Here":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def about(self, study: Study) -> None:
        """It is all here."""

    @property
    def free(self) -> int:
        return int(self._task is None)

    def submit(self, task: Task) -> None:
        self._task, self._began = task, time.perf_counter()
        self._steps = _generator(task)

    def news(self, seconds: float) -> Sequence[News]:
        if self._task is None or self._steps is None:
            return []
        number = self._task.number
        try:
            step = next(self._steps)
        except StopIteration:
            step = WorkerError(f"{self._task.job.title}: it ended and found nothing")
        except Exception as error:
            step = error
        if isinstance(step, int | float):
            return [Told(number, step)]
        self._end()
        if isinstance(step, Exception):
            return [Failed(number, step)]
        return [Found(number, step, time.perf_counter() - self._began)]

    def _end(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._task = self._steps = None


def _generator(task: Task) -> Generator[Any, None, None]:
    yield from task.steps()
