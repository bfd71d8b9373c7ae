"""What a study was said to cost, and what it cost: networks with random weights.

    PYTHONPATH=src .venv-zoo/bin/python benchmarks/prices.py PHOTOGRAPHS [--units 8] [SPEC ...]

Each study is of three layers, with some units of each drawn in a few steps, so that ten networks
take minutes; it is rehearsed and built in one process. Every job is compared: the table has the
sums by kind, promised and taken. Nothing else should be at work on the machine.
"""

import argparse
import time
import warnings
from dataclasses import dataclass, field, replace
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory

from phosphene import load_network
from phosphene.atlas import Atlas
from phosphene.data import load_data
from phosphene.progress import follow
from phosphene.study import CHANNELS, NEURONS, Price, Settings, Study, build
from phosphene.study import price as priced
from phosphene.words import duration, file_size, percent

NETWORKS = (
    "torchvision:alexnet",
    "torchvision:googlenet",
    "torchvision:resnet18",
    "torchvision:resnet50",
    "torchvision:densenet121",
    "torchvision:mobilenet_v3_large",
    "torchvision:efficientnet_b0",
    "torchvision:convnext_tiny",
    "timm:resnest14d",
    "timm:convnextv2_atto",
)


@dataclass
class Row:
    """One network: seconds promised and taken in all, and by kind of job."""

    spec: str
    price: Price
    took: float
    size: int
    kinds: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def promised(self) -> float:
        return self.price.seconds - self.price.spent

    def cells(self) -> list[str]:
        kinds = ", ".join(
            f"{kind} {promised:.1f}/{took:.1f}"
            for kind, (promised, took) in self.kinds.items()
            if max(promised, took) > self.took / 20
        )
        return [
            f"`{self.spec}`",
            duration(self.price.rehearsed),
            duration(self.promised),
            duration(self.took),
            percent(self.took / self.promised),
            f"{file_size(self.price.cost.size)} / {file_size(self.size)}",
            kinds,
        ]


def study_of(spec: str, photographs: Path, units: int, steps: int, edges: int = 1) -> Study:
    """Three layers of a network: the first and the last that are looked at, and one between."""
    network = load_network(spec)
    names = [layer.name for layer in network.default_layers]
    recipes = replace(CHANNELS, steps=steps), replace(NEURONS, steps=steps)
    settings = Settings(
        (names[0], names[len(names) // 2], names[-1]),
        recipes,
        units=(f"*:0-{units - 1}",),
        edges=edges,
    )
    data = load_data(str(photographs), network.input.channels, network.input.size)
    return Study(network, data, settings)


def measured(study: Study, spec: str) -> Row:
    """The price of a study, and what it comes to."""
    price = priced(study)
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.atlas")
        began = time.perf_counter()
        follow(build(study, path, price=price))
        row = Row(spec, price, time.perf_counter() - began, path.stat().st_size)
        with Atlas.open(path) as atlas:
            took = {job.key: job.seconds for job in atlas.jobs()}
    for job in price.jobs:
        before, after = row.kinds.get(job.kind, (0.0, 0.0))
        row.kinds[job.kind] = before + job.cost.seconds, after + took.get(job.key, 0.0)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=cleandoc(__doc__ or ""), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--units", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--edges", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| network | rehearsed | promised | took | of it | size promised / is | seconds by kind |"
    )
    print("|---|---|---|---|---|---|---|")
    for spec in given.networks:
        study = study_of(spec, given.photographs, given.units, given.steps, given.edges)
        print(f"| {' | '.join(measured(study, spec).cells())} |", flush=True)


if __name__ == "__main__":
    main()
