"""What a study was said to cost, and what it cost: ten networks with random weights.

    PYTHONPATH=src .venv-zoo/bin/python benchmarks/prices.py PHOTOGRAPHS [--seconds 60] [SPEC ...]

Each study is cut to fit its time, as `phosphene build --budget` does, and is then built whole, in
this process, without being stopped. Every job is compared: the table has the sums by kind. Nothing
else should be at work on the machine.
"""

import argparse
import time
import warnings
from dataclasses import dataclass, field
from inspect import cleandoc
from pathlib import Path
from tempfile import TemporaryDirectory

from phosphene import load_network
from phosphene.atlas import Atlas
from phosphene.data import load_data
from phosphene.progress import follow
from phosphene.study import Price, Study, build, within
from phosphene.words import duration, file_size, percent

NETWORKS = (
    "torchvision:alexnet",
    "torchvision:squeezenet1_1",
    "torchvision:vgg16",
    "torchvision:resnet18",
    "torchvision:resnet50",
    "torchvision:densenet121",
    "torchvision:mobilenet_v3_large",
    "torchvision:efficientnet_b0",
    "torchvision:convnext_tiny",
    "torchvision:vit_b_16",
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
            if max(promised, took) > 0.05 * self.took
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


def measured(spec: str, photographs: Path, seconds: float) -> Row:
    """The price of a study, and what it comes to."""
    network = load_network(spec)
    study = Study(network, load_data(str(photographs), network.input.channels, network.input.size))
    study, price = within(study, seconds)
    assert price is not None
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
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "| network | rehearsed | promised | took | of it | size promised / is | seconds by kind |"
    )
    print("|---|---|---|---|---|---|---|")
    for spec in given.networks:
        print(
            f"| {' | '.join(measured(spec, given.photographs, given.seconds).cells())} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
