"""One network, many who ask: a piece of work at a time, in turn, each one's newest alone."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from phosphene.network.turns import urgent
from phosphene.progress import heard

T = TypeVar("T")

MOST_WAITING = 64
"""Who ask at once; more are told to come again."""


class StaleError(Exception):
    """Something newer was asked by the same one before this came up."""


class BusyError(Exception):
    """More ask than can wait."""


class LeftError(BaseException):
    """Nobody waits for this any more."""


class Desk:
    """Does work in the order of who came first, on a thread of its own.

    Who asks again before their turn has come keeps their place in the line, and only the newest is
    done: of a hundred strokes of a pen while one is read, the last is read next. Who goes away
    leaves nothing behind: what waits is not begun, and what is at work is left where it next tells
    how far it is. `urgency` is that of its work among all who ask the same network.
    """

    def __init__(self, most: int = MOST_WAITING, urgency: int = 1) -> None:
        self._most, self._urgency = most, urgency
        self._waiting: OrderedDict[str, tuple[asyncio.Future[Any], Callable[[], Any]]] = (
            OrderedDict()
        )
        self._thread = ThreadPoolExecutor(1, "desk")
        self._running: asyncio.Task[None] | None = None

    async def do(self, who: str, work: Callable[[], T]) -> T:
        """What `work` gives, when it is the turn of `who`.

        Raises:
            StaleError: `who` has asked for something else since.
            BusyError: too many wait.
        """
        if who not in self._waiting and len(self._waiting) >= self._most:
            raise BusyError
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        before = self._waiting.get(who)
        self._waiting[who] = answer, work
        if before is not None and not before[0].done():
            before[0].set_exception(StaleError())
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            _, (answer, work) = self._waiting.popitem(last=False)
            if answer.done():  # who asked has gone
                continue
            try:
                found = await loop.run_in_executor(self._thread, self._urgently, work, answer)
            except Exception as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(found)

    def _urgently(self, work: Callable[[], T], answer: "asyncio.Future[T]") -> T | None:
        def listen(done: float, total: float, about: str = "") -> None:
            if answer.cancelled():
                raise LeftError

        with urgent(self._urgency), heard(listen), suppress(LeftError):
            return work()
        return None

    def close(self) -> None:
        """Finish what is being done, and take no more."""
        self._thread.shutdown(cancel_futures=True)
