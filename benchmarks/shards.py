"""A pass over many small images in tar files, read from a store of objects on this machine.

    python benchmarks/shards.py --images 200000 --folder /tmp/shards

Told are the time to look up what the files hold, once and again; how fast the survey goes beside
a bare forward pass over the same batches, each batch given to both, in seconds of this process and
of the clock; the memory after each shard; and what a pass loses that is killed and begun again.
It takes `phosphene[remote]` and moto's server (`pip install 'moto[s3]' flask flask-cors`).
"""

import argparse
import hashlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import packed
from phosphene.atlas import Atlas
from phosphene.data import load_data, shards
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build
from phosphene.survey import Survey, Tree
from phosphene.units import LOGITS
from phosphene.words import number, percent

EACH = 2000
"""Images of a tar file."""

BUCKET = "many"


class Block(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, made, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(made)
        self.conv2 = nn.Conv2d(made, made, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(made)
        self.short = nn.Conv2d(given, made, 1, stride) if given != made else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.short(x))


def network(width: int) -> Network:
    """A ResNet-20 for 32 x 32 pixels, as for CIFAR-10 where width is 16; its weights are drawn."""
    torch.manual_seed(0)
    one, two, four = width, 2 * width, 4 * width
    widths = [(one, one, 1)] * 3 + [(one, two, 2)] + [(two, two, 1)] * 2 + [(two, four, 2)]
    blocks = [Block(*each) for each in [*widths, (four, four, 1), (four, four, 1)]]
    stem = [nn.Conv2d(3, one, 3, 1, 1, bias=False), nn.BatchNorm2d(one), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(four, 10)]
    module = nn.Sequential(*stem, *blocks, *head).eval()
    return Network(module, Input(3, (32, 32)), [str(i) for i in range(10)], "resnet20")


def written(folder: Path, count: int) -> str:
    """Tar files of JPEG images, a thousand different ones again and again; their pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(0)
    files = []
    for _ in range(1000):
        coarse = drawn.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        content = BytesIO()
        Image.fromarray(coarse).resize((32, 32)).save(content, "JPEG")
        files.append(content.getvalue())
    last = -(-count // EACH) - 1
    for shard in range(last + 1):
        path = folder / f"{shard:04}.tar"
        if path.exists():
            continue
        with tarfile.open(path, "w") as tar:
            for at in range(shard * EACH, min(count, (shard + 1) * EACH)):
                packed.add(tar, f"{at:07}.jpg", files[at * 7919 % 1000])
                packed.add(tar, f"{at:07}.cls", str(at % 10).encode())
    return f"{{0000..{last:04}}}.tar"


def resident() -> float:
    """Megabytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def added(to: np.ndarray) -> Iterator[None]:
    """Seconds of the clock and of this process, added to what there is."""
    wall, own = time.perf_counter(), time.process_time()
    yield
    to += (time.perf_counter() - wall, time.process_time() - own)


def beside(spec: str, width: int, workers: int, most: int | None) -> None:
    """The survey beside a bare forward pass, batch by batch."""
    net = network(width)
    data = load_data(spec, 3, (32, 32))
    tree = Tree(Survey(net, [layer.name for layer in net.default_layers]).empty)
    loading, bare, survey = np.zeros(2), np.zeros(2), np.zeros(2)
    memory = []
    stream = shards(data, 256, workers, 0, most)
    while True:
        with added(loading):
            shard = next(stream, None)
        if shard is None:
            break
        found = tree.empty()
        while True:
            with added(loading):
                batch = next(shard, None)
            if batch is None:
                break
            with added(bare):
                net.record(batch.pictures, [LOGITS])
            with added(survey):
                found.add(batch)
        with added(survey):
            tree.take(found)
        memory.append(resident())
    seen = tree.seen
    print(f"{seen:,} images, {len(net.default_layers)} layers, {workers} workers")
    for name, place in (("clock", 0), ("this process", 1)):
        one, other = loading[place] + bare[place], loading[place] + survey[place]
        spent = [number(kind[place]) for kind in (loading, bare, survey)]
        print(
            f"  {name}: loading {spent[0]} s, forward {spent[1]} s, survey {spent[2]} s; "
            f"{number(seen / other)} images/s beside {number(seen / one)} of a bare forward pass, "
            f"{percent(one / other)} of it; without the loading "
            f"{percent(bare[place] / survey[place])}"
        )
    told = ", ".join(number(megabytes) for megabytes in memory[:: max(1, len(memory) // 8)])
    print(f"  memory after shards: {told}; last {number(memory[-1])} MB")


def study(spec: str, width: int, workers: int) -> Study:
    settings = Settings(recipes=(), edges=0, workers=workers, units=("*:0-0",))
    return Study(network(width), load_data(spec, 3, (32, 32)), settings)


def only_the_pass(spec: str, out: Path, width: int, workers: int) -> None:
    """Build until the pass is done."""
    steps = build(study(spec, width, workers), out)
    print("ready", flush=True)
    for step in steps:
        if step.title.startswith("keeping"):
            steps.close()
            return
        if step.title.startswith("looking"):
            print(step.done, flush=True)


def tables(path: Path) -> str:
    """SHA-256 of what a pass found."""
    with Atlas.open(path) as atlas:
        units = [unit for layer in atlas.layers() for unit in atlas.units(layer.name)]
        told = [replace(unit, weights=None) for unit in units], atlas.document("evaluation")
        return hashlib.sha256(pickle.dumps(told)).hexdigest()


def killed(spec: str, folder: Path, width: int, workers: int) -> None:
    """A pass that is killed in its middle and begun again beside one that is not."""
    command = [sys.executable, __file__, "--spec", spec, "--workers", str(workers)]
    command += ["--width", str(width), "--out"]
    whole, cut = folder / "whole.atlas", folder / "cut.atlas"
    for path in folder.glob("*.atlas*"):
        path.unlink()
    wall = time.perf_counter()
    subprocess.run([*command, whole], check=True, stdout=subprocess.DEVNULL)
    told = f"a pass by itself {number(time.perf_counter() - wall)} s"
    with subprocess.Popen([*command, cut], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = None
        for line in process.stdout:
            if line.startswith("ready"):
                continue
            first = float(line) if first is None else first
            if float(line) - first > 0.55:
                process.send_signal(signal.SIGKILL)
                break
        at = float(line) - first
    wall = time.perf_counter()
    again = subprocess.run([*command, cut], check=True, capture_output=True, text=True).stdout
    steps = [float(line) for line in again.splitlines() if not line.startswith("ready")]
    begun = steps[1] - steps[0] if len(steps) > 1 else 0.0
    print(
        f"  {told}; killed at {percent(at)}, gone on from {percent(begun)}, the rest "
        f"{number(time.perf_counter() - wall)} s; the same: {tables(whole) == tables(cut)}"
    )


def main() -> None:
    """Make the images, serve them, and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=200_000)
    options.add_argument("--folder", type=Path, default=Path("shards"))
    options.add_argument("--workers", type=int, default=0)
    options.add_argument("--width", type=int, default=16, help="Channels of the first stage.")
    options.add_argument("--most", type=int, help="Images of the first comparison.")
    options.add_argument("--spec", help=argparse.SUPPRESS)
    options.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.out is not None:
        only_the_pass(given.spec, given.out, given.width, given.workers)
        return
    os.environ.setdefault("XDG_CACHE_HOME", str(given.folder.resolve() / "cache"))
    pattern = written(given.folder / f"{given.images}", given.images)
    with packed.store() as address:
        os.environ |= packed.CREDENTIALS | {"AWS_ENDPOINT_URL": address}
        spec, sent = f"s3://{BUCKET}/{pattern}", np.zeros(2)
        with added(sent):
            packed.send(given.folder / f"{given.images}", BUCKET)
        print(f"{given.images:,} images sent in {number(sent[0])} s: {spec}")
        for what in ("looked up", "looked up again"):
            took = np.zeros(2)
            with added(took):
                load_data(spec, 3, (32, 32)).fingerprint()
            print(f"  {what} in {number(took[0])} s", flush=True)
        beside(spec, given.width, given.workers, given.most)
        killed(spec, given.folder, given.width, given.workers)


if __name__ == "__main__":
    main()
