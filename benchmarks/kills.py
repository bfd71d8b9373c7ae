"""What do kills cost: time alone? Workers, or the process that writes, are killed again and again.

    OMP_NUM_THREADS=1 python benchmarks/kills.py [here processes:2 ray] [--who worker writer]
        [--kills 100] [--seed 0]

A study of Hvass's network on the embedded digits, of some seventy small jobs, is built in this
process, and then by each engine in processes of their own, which are hurt by SIGKILL. Of a build's
workers five are killed, whoever they are and whatever they are at: each when a random share of the
jobs is done, and up to a second later. So no job is likely to meet four of them, which would be all
of its tries; one that did would be told as failed here. A writer is killed after a time that is
uniform over as long as an undisturbed build takes, from when its process begins; the build is gone
on with, and killed again, until it is done. `ray` is a cluster of two nodes of one processor each
on this machine.

Told are, for each engine and victim: how many kills and builds there were, how many jobs of the
build were done at the kills, and of all builds together: those whose tables (each cell of each row,
but for when and how long jobs took) have another SHA-256 than the undisturbed one's, rows lost and
rows too many, jobs that were done and then done again, and builds that failed, hung or are unsound.
Linux only: workers are found in /proc.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from phosphene import Network, Recipe, Settings, Study, build, digits
from phosphene.atlas import Atlas, claims, verify
from phosphene.data import batching
from phosphene.study import units
from phosphene.zoo import hvass

UNITS, PICTURES, LEASE_SECONDS = 8, 64, 1.0
"""Of a job, of a shard, and of what a killed writer had claimed."""

WORKERS_OF_A_BUILD = 5
"""So many are killed."""

PATIENCE = 20
"""A build that takes so many times as long as an undisturbed one hangs."""


@dataclass
class Outcome:
    """What came of the builds of one engine."""

    whole: Counter[str]
    kills: list[int] = field(default_factory=list)
    """How many jobs were done at each."""
    builds: int = 0
    differing: int = 0
    lost: int = 0
    more: int = 0
    again: int = 0
    bad: int = 0
    hanging: int = 0
    killed: Counter[str] = field(default_factory=Counter)

    def took(self, path: Path, process: BaseProcess) -> None:
        """Compare what a build came to, and remove it."""
        found = rows(path)
        self.builds += 1
        self.differing += digest(found) != digest(self.whole)
        self.lost += (self.whole - found).total()
        self.more += (found - self.whole).total()
        self.bad += process.exitcode != 0 or not verify(path).whole
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()


def main() -> None:
    asked = arguments()
    with TemporaryDirectory() as folder:
        path = Path(folder, "undisturbed.atlas")
        write(path, "here")
        whole = rows(path)
        print(f"undisturbed: {len(finished(path))} jobs, {whole.total()} rows, {digest(whole)}")
        for on in asked.engines:
            with nodes(on):
                lengths = [undisturbed(Path(folder, "a.atlas"), on, whole) for _ in range(2)]
                whom = [who for who in asked.who if (on, who) != ("here", "worker")]
                outcomes = {who: Outcome(whole) for who in whom}
                moments = random.Random(f"{asked.seed} {on}")
                while left := [who for who in whom if len(outcomes[who].kills) < asked.kills]:
                    for who in left:
                        hurt = hurt_workers if who == "worker" else hurt_writer
                        hurt(Path(folder, "a.atlas"), on, lengths[1], moments, outcomes[who])
                        tell(on, who, outcomes[who])


def study() -> Study:
    """All that a study has of four layers."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network(hvass(), labels=[str(i) for i in range(10)])
    recipes = Recipe("channel", steps=8), Recipe("neuron", steps=8)
    return Study(network, digits("test"), Settings(recipes=recipes, batch=PICTURES))


def write(path: Path, on: str, done: "Connection[float, float] | None" = None) -> None:
    """Build, or go on with what was begun, and say how much is done."""
    units.UNITS_PER_JOB, batching.SHARD, claims.LEASE_SECONDS = UNITS, PICTURES, LEASE_SECONDS
    for step in build(study(), path, on=on):
        if done is not None:
            done.send(step.done / step.total)


def writer(path: Path, on: str, done: "Connection[float, float] | None" = None) -> BaseProcess:
    """A process that builds; a copy of one that has imported PyTorch."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["phosphene.study.engines.processes", "torch._dynamo"])
    process: BaseProcess = context.Process(target=write, args=(path, on, done))
    process.start()
    return process


def undisturbed(path: Path, on: str, whole: Counter[str]) -> float:
    """How many seconds a build takes to which nothing is done."""
    began, outcome = time.monotonic(), Outcome(whole)
    process = writer(path, on)
    process.join()
    seconds = time.monotonic() - began
    outcome.took(path, process)
    print(f"{on}, undisturbed: {seconds:.1f} s, differing {outcome.differing}", flush=True)
    return seconds


def hurt_workers(
    path: Path, on: str, length: float, moments: random.Random, outcome: Outcome
) -> None:
    """A build of which workers are killed."""
    heard, said = multiprocessing.Pipe(duplex=False)
    process, share = writer(path, on, said), 0.0
    before: dict[str, str] = {}
    for moment in sorted(moments.random() for _ in range(WORKERS_OF_A_BUILD)):
        while process.exitcode is None and (share < moment or not workers(on, process)):
            share = heard.recv() if heard.poll(0.05) else share
        process.join(moments.random())
        there = sorted(workers(on, process))
        if process.exitcode is None and there:
            victim = moments.choice(there)
            outcome.killed[title(victim)] += 1
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                before |= finished(path)
                outcome.kills.append(len(before))
    complete(process, path, before, length, outcome)


def hurt_writer(
    path: Path, on: str, length: float, moments: random.Random, outcome: Outcome
) -> None:
    """A build whose process is killed, and so are those that go on with it, until one is done."""
    before, process = dict[str, str](), writer(path, on)
    while True:
        process.join(moments.uniform(0, length))
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        after = finished(path)
        outcome.again += done_again(before, after)
        before = before | after
        outcome.kills.append(len(after))
        process = writer(path, on)
    complete(process, path, before, length, outcome)


def complete(
    process: BaseProcess, path: Path, before: dict[str, str], length: float, outcome: Outcome
) -> None:
    """Wait for the end of a build and see what it came to; `before` was done before a kill."""
    process.join(PATIENCE * length)
    if process.exitcode is None:
        outcome.hanging += 1
        process.kill()
        process.join()
    outcome.again += done_again(before, finished(path))
    outcome.took(path, process)


def finished(path: Path) -> dict[str, str]:
    """When each job that is done ended."""
    if not path.exists():
        return {}
    with Atlas.open(path) as atlas:
        return {job.key: job.finished for job in atlas.jobs() if job.state == "done"}


def done_again(before: dict[str, str], after: dict[str, str]) -> int:
    """How many jobs that were done are not there, or ended anew."""
    return sum(after.get(key) != ended for key, ended in before.items())


def rows(path: Path) -> Counter[str]:
    """Each row of each table, but for when and how long jobs took."""
    found = Counter[str]()
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            clock = {"seconds", "finished"} | ({"checksum"} if table == "jobs" else set())
            told = ", ".join(column for column in columns if column not in clock)
            every = connection.execute(f"SELECT {told} FROM {table}")
            found.update(f"{table} {row!r}" for row in every)
    return found


def digest(found: Counter[str]) -> str:
    return hashlib.sha256("\n".join(sorted(found.elements())).encode()).hexdigest()


@contextmanager
def nodes(on: str) -> Iterator[None]:
    """For Ray two nodes on this machine's loopback."""
    if not on.startswith("ray"):
        yield
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    head = {"num_cpus": 1, "include_dashboard": False}
    two = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=head)
    two.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = two.address
    yield
    two.shutdown()


def workers(on: str, process: BaseProcess) -> set[int]:
    """The processes that compute: Ray's nodes have them, or what the writer copies them from."""
    below = children()
    if on.startswith("ray"):
        every, left = set[int](), [os.getpid()]
        while left:
            left += below.get(parent := left.pop(), [])
            every.update(below.get(parent, []))
        return {pid for pid in every if title(pid).startswith("ray::Worker")}
    return {pid for parent in below.get(process.pid or 0, []) for pid in below.get(parent, [])}


def children() -> dict[int, list[int]]:
    """The processes that each has begun."""
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(path.parent.name))
    return found


def title(pid: int) -> str:
    """What a process calls itself; Ray's say what they do."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0].strip()
    return ""


def tell(on: str, who: str, outcome: Outcome) -> None:
    """How it stands after a build."""
    kills = sorted(outcome.kills)
    first, half, last = (kills[len(kills) * n // 4] for n in (1, 2, 3)) if kills else (0, 0, 0)
    print(
        f"{on}: {who} killed {len(kills)} times in {outcome.builds} builds, when {first}, {half}, "
        f"{last} jobs (quarters) were done: {outcome.differing} builds differ, {outcome.lost} rows "
        f"lost, {outcome.more} too many, {outcome.again} jobs done again, {outcome.hanging} builds "
        f"hang, {outcome.bad} failed or unsound; killed were {dict(outcome.killed)}",
        flush=True,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("engines", nargs="*", default=["here", "processes:2"])
    parser.add_argument("--who", nargs="+", default=["worker", "writer"])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
