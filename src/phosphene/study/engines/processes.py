"""Workers on this machine: a process each, begun anew where one is lost."""

import atexit
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from phosphene.errors import WorkerError
from phosphene.study.engines import crew
from phosphene.study.engines.crew import Crew
from phosphene.study.engines.hand import Gone, Hand, Message, Up
from phosphene.study.engines.worker import Worker

_PATIENCE = 2.0
"""Seconds that a process has to end by itself."""

_TRIES, _MOMENT = 5, 0.1
"""How often a process is started, and seconds between."""

_IMPORTED_ONCE = ["phosphene.study.engines.processes", "torch._dynamo"]
"""What all workers need; any optimiser of torch imports the latter, for a second, as it begins."""


class Processes(Crew):
    """`count` processes, each with one thread unless OMP_NUM_THREADS says otherwise."""

    def __init__(self, count: int, threads: int | None = None) -> None:
        super().__init__(threads or usual_threads())
        self.count = count

    @property
    def wanted(self) -> int:
        return self.count

    @property
    def workers(self) -> int:
        """The same, which is known before they begin."""
        return self.count

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes that there are."""
        return [place.hand.pid for place in self._places if isinstance(place.hand, _Process)]

    def hire(self) -> Hand:
        return _Process(self.threads, crew.BEAT)

    def wait(self, hands: Sequence[Hand], seconds: float) -> None:
        known = [hand for hand in hands if isinstance(hand, _Process)]
        if not known:
            time.sleep(min(seconds, crew.BEAT / 10))
            return
        wait([source for hand in known for source in hand.sources], seconds)


class _Process:
    """One process and the pipe to it."""

    def __init__(self, threads: int, beat: float) -> None:
        context = _context()
        self._pipe, theirs = context.Pipe()
        # No daemon: these may have no children, and readers of pictures are such.
        self._process = context.Process(
            target=_as_here,
            args=(dict(os.environ), theirs, threads, beat),
            name="phosphene worker",
        )
        _start(self._process)
        theirs.close()
        atexit.register(self._process.kill)  # before the interpreter waits for it
        self._orders: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        # Weights are large, and who does not read them must not stop us.
        threading.Thread(target=self._deliver, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def sources(self) -> list[Any]:
        """What is ready when there is something to hear."""
        return [self._pipe, self._process.sentinel]

    def join(self, parts: bytes) -> None:
        self._orders.put(("join", parts))

    def start(self, number: int, packed: bytes) -> None:
        self._orders.put(("run", number, packed))

    def heard(self) -> Sequence[Message]:
        found: list[Message] = []
        try:
            while self._pipe.poll():
                found.append(self._pipe.recv())
        except (EOFError, OSError):
            found.append(Gone(self._ended()))
        except Exception as error:  # what a broken process sends may be anything
            found.append(Gone(f"it sent what nobody can read: {error}"))
        if not found and not self._process.is_alive():
            found.append(Gone(self._ended()))
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._orders.put(None)
        self._pipe.close()
        atexit.unregister(self._process.kill)

    def _deliver(self) -> None:
        with suppress(OSError):  # that it is gone is heard elsewhere
            while (order := self._orders.get()) is not None:
                self._pipe.send(order)

    def _ended(self) -> str:
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return (
            "its process ended"
            + (f" with status {code}" if code is not None else "")
            + ". (A script that builds in processes does so under `if __name__ == '__main__':`)"
            * bool(code)
        )


def _context() -> Any:
    """How processes are begun: where the system can, as copies of one that has imported torch."""
    if sys.platform != "linux":  # elsewhere what torch links to bears no copies
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED_ONCE)
    return context


def _start(process: BaseProcess) -> None:
    """Start a process; raises `WorkerError` where that cannot be.

    What it is copied from may just have been killed, of which the system tells a moment later;
    then there is another.
    """
    for left in reversed(range(_TRIES)):
        try:
            with _uninterrupted():
                process.start()
        except (OSError, EOFError) as error:
            if not left:
                raise WorkerError(f"no process can be begun: {error}") from error
            time.sleep(_MOMENT)
        else:
            return


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A process begun meanwhile hears no Ctrl-C, which a terminal tells all; its builder ends it.

    This process hears it later.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # beginning that would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def usual_threads() -> int:
    """One, or what OMP_NUM_THREADS says."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(told)) if told.isdecimal() else 1


def _as_here(environ: dict[str, str], *args: Any) -> None:
    """Serve with the environment that the builder has by now."""
    os.environ.clear()
    os.environ.update(environ)
    serve(*args)


def serve(pipe: "Connection[Any, Any]", threads: int, beat: float) -> None:
    """Work for who holds the other end of the pipe, as long as that is held."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker, lock = Worker(threads), threading.Lock()
    orders: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()

    def send(message: Any) -> None:
        try:
            with lock:
                pipe.send(message)
        except OSError:
            os._exit(0)

    def listen() -> None:
        try:
            while True:
                orders.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(0)  # whatever we are at: nobody is there to hear of it

    def live() -> None:
        while True:
            send(worker.pulse())
            time.sleep(beat)

    send(Up())
    for task in (listen, live):
        threading.Thread(target=task, daemon=True).start()
    while True:
        order, *rest = orders.get()
        send(worker.join(*rest) if order == "join" else worker.run(*rest))
