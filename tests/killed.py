"""Builds that are to be killed, in processes that begin at once: copies of one with torch in it."""

import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from phosphene.atlas import claims
from phosphene.study import build
from phosphene.study.engines.processes import _context
from small_study import make_study

LEASE_SECONDS = 0.5
"""For so long what a killed one had claimed is left alone."""


def builder(path: Path) -> BaseProcess:
    """A process that is about to build the study of twelve steps."""
    context = _context()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_build, args=(path, there), daemon=True)
    process.start()
    there.close()
    with here:
        here.recv()
    return process


def ended(process: BaseProcess) -> bool:
    """Kill a builder; whether it was at work until then, and not at its end."""
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _build(path: Path, ready: "Connection[str, str]") -> None:
    claims.LEASE_SECONDS = LEASE_SECONDS
    ready.send("ready")
    for _ in build(make_study(steps=12), path):
        pass
