"""How far a long call is, for whoever wants to see it.

What takes long is a block, `telling(title)`, and says `tell(done, total)` inside. Nobody hears it
until somebody watches: `show_progress()` once in a notebook or a script shows bars from then on, as
commands do, and `watching` gives any other listener its turn. Of blocks within one another the
inner is a part of what the outer one counts. Of several threads the first that begins is heard.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from phosphene.words import percent

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


@runtime_checkable
class Listener(Protocol):
    """Hears how much of a block is done and how much there is, and what is being worked on."""

    def __call__(self, done: float, total: float, about: str = "") -> None:
        """Called again and again; `about` is empty where it has not changed."""


Watcher = Callable[[str], AbstractContextManager[Listener]]
"""Makes the listener of a block with a title, for as long as the block lasts."""


class _Block:
    """A block that somebody hears, or nobody; how far it is, as it told last."""

    def __init__(self, listener: Listener | None) -> None:
        self.listener = listener
        self.done = self.total = self.part = 0.0

    def tell(self, done: float, total: float, about: str = "") -> None:
        self.done, self.total, self.part = done, total, 0.0
        if self.listener is not None:
            self.listener(done, total, about)

    def within(self, title: str) -> "_Block":
        """A block inside this one: a part of what it counts, or all of it if it counts nothing."""
        if (listener := self.listener) is None:
            return _Block(None)

        def listen(done: float, total: float, about: str = "") -> None:
            if self.total:
                self.part = max(self.part, done / total if total else 0.0)
                listener(min(self.done + self.part, self.done + 1, self.total), self.total)
            else:
                listener(done, total, about or title)

        return _Block(listen)


class _Blocks(threading.local):
    """The blocks that a thread is in, the innermost last."""

    def __init__(self) -> None:
        self.open: list[_Block] = []


class _Audience:
    """Who watches, if anybody does, and whether a block is being heard."""

    watcher: Watcher | None = None
    busy = threading.Lock()


_blocks, _audience = _Blocks(), _Audience()


@contextmanager
def telling(title: str) -> Iterator[None]:
    """A block, or as `@telling(title)` a function, that says how far it is."""
    with ExitStack() as ends:
        block = _opened(title, ends)
        _blocks.open.append(block)
        try:
            yield
        finally:
            if block in _blocks.open:  # not where a generator ends in another thread
                _blocks.open.remove(block)


def _opened(title: str, ends: ExitStack) -> _Block:
    if _blocks.open:
        return _blocks.open[-1].within(title)
    if _audience.watcher is None or not _audience.busy.acquire(blocking=False):
        return _Block(None)
    ends.callback(_audience.busy.release)
    return _Block(ends.enter_context(_audience.watcher(title)))


def tell(done: float, total: float, about: str = "") -> None:
    """Say how much of the innermost block of this thread is done, and what is being worked on."""
    if _blocks.open:
        _blocks.open[-1].tell(done, total, about)


def counted(items: Sequence[T]) -> Iterator[T]:
    """One after the other, telling how many are done.

    >>> from contextlib import nullcontext
    >>> with watching(lambda title: nullcontext(lambda done, total, _: print(title, done, total))):
    ...     with telling("counting"):
    ...         letters = [letter for letter in counted("ab")]
    counting 0 2
    counting 1 2
    counting 2 2
    """
    for done, item in enumerate(items):
        tell(done, len(items))
        yield item
    tell(len(items), len(items))


def follow(steps: Iterable[T]) -> T | None:
    """Go through steps that tell how far they are, as those of a build do; the last of them."""
    last = None
    for step in steps:
        last = step
    return last


@contextmanager
def watching(watcher: Watcher | None) -> Iterator[None]:
    """Blocks that begin meanwhile are told to `watcher`; to nobody if it is None."""
    before, _audience.watcher = _audience.watcher, watcher
    try:
        yield
    finally:
        _audience.watcher = before


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Blocks of this thread are told to `listener` meanwhile, whoever watches the others."""
    block = _Block(listener)
    _blocks.open.append(block)
    try:
        yield
    finally:
        _blocks.open.remove(block)


def show_progress(shown: bool = True) -> None:
    """From now on long calls show a bar, in a terminal or a notebook; `False` ends that."""
    _audience.watcher = bar if shown else None


@contextmanager
def bar(title: str, console: "Console | None" = None) -> Iterator[Listener]:
    """A bar with a title, for the duration: rich's, which terminals and notebooks show.

    Where a notebook lacks ipywidgets, which rich needs there, it is a line of text.
    """
    from rich import get_console  # noqa: PLC0415 - only where there is a bar
    from rich import progress as rich  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    if (console or get_console()).is_jupyter and find_spec("ipywidgets") is None:
        with _line(title) as listen:
            yield listen
        return

    columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.TaskProgressColumn())
    times = (rich.TimeElapsedColumn(), rich.TimeRemainingColumn())
    shown = rich.Progress(*columns, *times, console=console)
    with shown:
        task = shown.add_task(escape(title), total=None)

        def listen(done: float, total: float, about: str = "") -> None:
            described = escape(f"{title}: {about}" if about and title else about or title)
            shown.update(task, completed=done, total=total, description=described)

        yield listen
        total = shown.tasks[0].total
        if total is not None:  # who came this far has done all of it
            shown.update(task, completed=total)


@contextmanager
def _line(title: str) -> Iterator[Listener]:
    """A line of text in a notebook, rewritten when another hundredth is done."""
    display = import_module("IPython.display").display  # it is there: this is a notebook

    handle, last = display({"text/plain": title}, raw=True, display_id=True), [title]

    def listen(done: float, total: float, about: str = "") -> None:
        words = f"{title}: {about}" if about and title else about or title
        told = f"{words} {percent(done / total)}" if total else words
        if told != last[0]:
            last[0] = told
            handle.update({"text/plain": told}, raw=True)

    yield listen
    handle.update({"text/plain": f"{title} done"}, raw=True)
