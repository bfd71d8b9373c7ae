"""One caller at a time inside a module: hooks and flags sit on it, and all threads share it.

A pass that met the hooks or the flags of another would give wrong values without a word. So
whatever changes a module for a while (`frozen`, `steady`, `kept_settings`, `watched`) takes the
module's turn and gives it back when its block ends, also by an exception. A call inside a call of
the same thread goes on at once; other threads wait. Modules that have a part in common share a
turn.

Who came first is next, but whoever is `urgent` goes before who is not: a person who waits for one
pass does not wait for the thousand of a long job, only for the one that is at work.

Whoever holds the turns of two modules that have no part in common takes them in the same order
everywhere: two threads that do it the other way round wait for each other for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from heapq import heapify, heappop, heappush
from itertools import count
from threading import Event, Lock, get_ident, local
from types import TracebackType
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from torch import nn


class _Pace(local):
    """How urgent a thread's calls are, and how many turns it holds."""

    urgency = 0
    held = 0


class _Urgent:
    """How much urgent work is being done; those who are not urgent hold back meanwhile."""

    def __init__(self) -> None:
        self._count, self._changing, self._none = 0, Lock(), Event()
        self._none.set()

    def begin(self) -> None:
        with self._changing:
            self._count += 1
            self._none.clear()

    def end(self) -> None:
        with self._changing:
            self._count -= 1
            if not self._count:
                self._none.set()

    def hold_back(self) -> None:
        self._none.wait(PATIENCE)


PATIENCE = 0.25
"""Seconds that who is not urgent holds back before each turn, at most, whatever is being done."""

_PACE, _URGENT = _Pace(), _Urgent()


@contextmanager
def urgent(urgency: int = 1) -> Iterator[None]:
    """Calls of this thread go before those that are less urgent; without it, urgency is 0.

    Others hold back for the block, also in networks of their own: processors are shared as well.
    """
    before, _PACE.urgency = _PACE.urgency, urgency
    _URGENT.begin()
    try:
        yield
    finally:
        _URGENT.end()
        _PACE.urgency = before


Place = tuple[int, int, int, Any]
"""In a line: how urgent, of equals who came first, which thread, and the lock that it waits at."""


class Turn:
    """A re-entrant lock that is handed on: the most urgent is next, of equals who came first.

    An ordinary lock is taken by whoever happens to run when it is free. A thread that gives it
    back and takes it again at once, as a long job does, nearly always is.
    """

    def __init__(self) -> None:
        self._changing, self._numbers = Lock(), count()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: list[Place] = []

    def __enter__(self) -> None:
        """Wait until it is this thread's turn."""
        me = get_ident()
        if self._owner != me:
            if not (_PACE.urgency or _PACE.held):
                _URGENT.hold_back()
            self._wait(me)
        self._depth += 1
        _PACE.held += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hand it on, unless this was a call inside a call."""
        if self._owner != get_ident():
            raise RuntimeError("a turn is given back by the thread that has it, and by no other")
        _PACE.held -= 1
        self._depth -= 1
        if self._depth == 0:
            self._hand_on()

    def _wait(self, me: int) -> None:
        gate = Lock()
        gate.acquire()
        with self._changing:
            if self._owner is None:
                self._owner = me
                return
            place = (-_PACE.urgency, next(self._numbers), me, gate)
            heappush(self._waiting, place)
        try:
            gate.acquire()  # until it is handed over
        except BaseException:  # as Ctrl-C
            self._leave(place)
            raise

    def _leave(self, place: Place) -> None:
        with self._changing:
            waits = place in self._waiting
            if waits:
                self._waiting.remove(place)
                heapify(self._waiting)
        if not waits:  # it was handed over just then
            self._hand_on()

    def _hand_on(self) -> None:
        with self._changing:
            if not self._waiting:
                self._owner = None
                return
            _, _, self._owner, gate = heappop(self._waiting)
        gate.release()


Turns = tuple[Turn, ...]
"""One, unless parts of a module were met before the whole."""

_TURNS: "WeakKeyDictionary[nn.Module, Turns]" = WeakKeyDictionary()
_MEETING = Lock()


def turn(module: nn.Module) -> AbstractContextManager[object]:
    """While it holds, no other thread is inside `module` or anything that shares a part with it."""
    turns = _TURNS.get(module) or _meet(module)
    return turns[0] if len(turns) == 1 else _all(turns)


@contextmanager
def _all(turns: Turns) -> Iterator[None]:
    with ExitStack() as held:
        for one in turns:
            held.enter_context(one)
        yield


def _meet(module: nn.Module) -> Turns:
    """The turns of a module that has none yet: those of its parts, or a new one for all of them."""
    with _MEETING:
        parts = list(module.modules())
        known = {id(one): one for part in parts for one in _TURNS.get(part, ())}
        turns = tuple(known[number] for number in sorted(known)) or (Turn(),)
        for part in (module, *parts):
            _TURNS.setdefault(part, turns)
        _TURNS[module] = turns
        return turns


T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - a decorator, as `property` is
    """A property of what has a `module`, worked out by whoever comes first, in the module's turn.

    As `functools.cached_property` it is kept in the object's own dictionary.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self.work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        if instance is None:
            return cast(T, self)
        with turn(instance.module):
            if self.name not in vars(instance):
                vars(instance)[self.name] = self.work(instance)
        return cast(T, vars(instance)[self.name])
