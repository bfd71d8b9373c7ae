"""How much do more workers do, and what does it cost to have another process do the work?

    python benchmarks/engines.py [here processes:1 processes:2 ray] [--rounds 3] [--steps 64]

The pictures of Hvass's network on the embedded digits, many jobs of the same size, after all that
comes before has been done once. Every engine does them in turn, in rounds, so that what else the
machine does hits all alike. Told are, in the median of rounds: seconds until all workers have
joined; jobs a second from then on, and how many times those of the first engine in the same round;
the share of their time in which workers have a job; processor seconds of this process for each
second of a job, which is what handing out and keeping costs; and whether all atlases are the same.
Run it with OMP_NUM_THREADS=1, so that here is one thread as well. On a machine that others use, the
rates say little of what more workers bring; the share of time at work says it still. Ray is as
large as it finds the machine unless a cluster runs.
"""

import argparse
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import torch

from phosphene import Network, Recipe, Settings, Study, build, digits
from phosphene.atlas import Atlas
from phosphene.progress import follow
from phosphene.study import units
from phosphene.study.building import BuildStep
from phosphene.study.engines import Engine, engine_of
from phosphene.study.engines.crew import Crew
from phosphene.zoo import hvass

EACH = 1
"""Units of a job: many jobs, so that none is long beside the others at the end."""


@dataclass(frozen=True)
class Run:
    """One build by one engine."""

    joined: float
    rate: float
    busy: float
    ours: float
    atlas: str


def main() -> None:
    asked = arguments()
    units.UNITS_PER_JOB = EACH
    with TemporaryDirectory() as folder:
        begun = Path(folder, "begun.atlas")
        follow(build(study(), begun))
        runs: dict[str, list[Run]] = {on: [] for on in asked.engines}
        for number in range(asked.rounds):
            for on, some in runs.items():
                path = Path(folder, f"{number}.atlas")
                shutil.copy(begun, path)
                some.append(timed(study(asked.steps), path, engine_of(on)))
                path.unlink()
    tell(runs)


def study(steps: int = 0) -> Study:
    """All units of a convolution, with pictures where there are steps: jobs of one size."""
    torch.manual_seed(0)
    network = Network(hvass(), labels=[str(i) for i in range(10)])
    recipes = (Recipe("channel", steps=steps),) if steps else ()
    return Study(network, digits("test"), Settings("conv2", recipes, edges=0))


def timed(asked: Study, path: Path, engine: Engine) -> Run:
    """Build on, and see how quickly it goes once all workers are there."""
    began = time.perf_counter()
    first = last = None
    workers = 1
    for step in drawing(build(asked, path, on=engine)):
        now = time.perf_counter(), time.process_time(), step.done
        if first is None and (not isinstance(engine, Crew) or engine.working == engine.wanted):
            first = now
        last = now
        workers = engine.working if isinstance(engine, Crew) else 1
    assert first is not None
    assert last is not None
    seconds, ours, jobs = (b - a for a, b in zip(first, last, strict=True))
    with Atlas.open(path) as atlas:
        done = [job.seconds for job in atlas.jobs("pictures")]
        theirs = jobs * mean(done[-round(jobs) :])
        busy = theirs / seconds / workers
        ours = ours / theirs if engine.remote else 0.0
        return Run(first[0] - began, jobs / seconds, busy, ours, atlas.fingerprint())


def drawing(steps: Iterator[BuildStep]) -> Iterator[BuildStep]:
    """The steps before the findings, which this process writes."""
    return (step for step in steps if not step.title.startswith(("writing", "done")))


def tell(runs: dict[str, list[Run]]) -> None:
    """A line for each engine."""
    first = next(iter(runs.values()))
    print("| engine | until joined | jobs a second | of the first | at work | ours a second |")
    print("|---|---|---|---|---|---|")
    for on, some in runs.items():
        times = median(run.rate / one.rate for run, one in zip(some, first, strict=True))
        joined, rate = median(run.joined for run in some), median(run.rate for run in some)
        busy, ours = median(run.busy for run in some), median(run.ours for run in some)
        print(f"| {on} | {joined:.1f} s | {rate:.2f} | {times:.2f} | {busy:.0%} | {ours:.1%} |")
    same = len({run.atlas for some in runs.values() for run in some}) == 1
    print("all atlases are the same" if same else "THE ATLASES DIFFER")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("engines", nargs="*", default=["here", "processes:1", "processes:2"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
