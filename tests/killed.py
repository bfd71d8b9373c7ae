"""Builds that are to be killed, in processes that begin at once: copies of one with torch in it."""

import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from phosphene.atlas import claims
from phosphene.study import build
from phosphene.study.engines import Here, Processes
from phosphene.study.engines.processes import _context
from small_study import make_study

LEASE_SECONDS = 0.5
"""For so long what a killed one had claimed is left alone."""


def builder(path: Path, workers: int = 0) -> tuple[BaseProcess, list[int]]:
    """A process that is about to build the study of twelve steps, and the workers it has for it."""
    context = _context()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_build, args=(path, workers, there), daemon=not workers)
    process.start()
    there.close()
    with here:
        return process, here.recv()


def ended(process: BaseProcess) -> bool:
    """Kill a builder; whether it was at work until then, and not at its end."""
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _build(path: Path, workers: int, ready: "Connection[list[int], None]") -> None:
    claims.LEASE_SECONDS = LEASE_SECONDS
    engine = Processes(workers) if workers else Here()
    if isinstance(engine, Here):
        ready.send([])
    for count, _ in enumerate(build(make_study(steps=12), path, on=engine)):
        if count == 0 and isinstance(engine, Processes):
            ready.send(engine.pids)
