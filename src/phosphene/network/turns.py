"""One caller at a time inside a module: hooks and flags sit on it, and all threads share it.

A pass that met the hooks or the flags of another would give wrong values without a word. So
whatever changes a module for a while (`frozen`, `steady`, `kept_settings`, `watched`) takes the
module's turn and gives it back when its block ends, also by an exception. A call inside a call of
the same thread goes on at once; other threads wait. Modules that have a part in common share a
turn.

Whoever holds the turns of two modules that have no part in common takes them in the same order
everywhere: two threads that do it the other way round wait for each other for ever.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock, RLock
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from torch import nn

Turns = tuple[AbstractContextManager[object], ...]
"""Re-entrant locks: one, unless parts of a module were met before the whole."""

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
        turns = tuple(known[number] for number in sorted(known)) or (RLock(),)
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
