"""What holds for the networks of torchvision, timm and transformers, with random weights.

    make zoo                                                    # all of them, into docs/zoo.md
    PYTHONPATH=src:tests .venv-zoo/bin/python benchmarks/zoo.py - timm:regnety_002 hf:swin

Each network goes the full path: its layers, their receptive fields, one picture of a few steps, a
map by gradient and one by guided backpropagation, and one batch of the streaming pass. Afterwards
the module must be bit-identical to what it was. What is refused is told with the reason; whatever
else goes wrong is a fault, and the run fails.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import TensorDataset

from laws import unchanged
from phosphene import (
    Channel,
    Network,
    PhospheneError,
    Recipe,
    Spectrum,
    Survey,
    Unit,
    batches,
    draw,
    gradient,
    guided,
    load_network,
)

NETWORKS: dict[str, dict[str, Any]] = {  # with what their libraries do not say of their input
    "torchvision:alexnet": {},
    "torchvision:vgg16": {},
    "torchvision:googlenet": {},
    "torchvision:resnet18": {},
    "torchvision:resnet50": {},
    "torchvision:densenet121": {},
    "torchvision:mobilenet_v3_large": {},
    "torchvision:efficientnet_b0": {},
    "torchvision:convnext_tiny": {},
    "torchvision:vit_b_16": {},
    "torchvision:swin_t": {},
    "timm:resnest14d": {},
    "timm:mixer_s32_224": {},
    "timm:convnextv2_atto": {},
    "hf:resnet": {"channels": 3, "size": (224, 224)},
    "hf:vit": {},
}


class Walk:
    """The steps over one network; each says what it found."""

    steps = ("layers", "fields", "picture", "gradient", "guided", "stream")

    def __init__(self, network: Network) -> None:
        self.network = network
        shape = network.input.shape
        self.pictures = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))

    @cached_property
    def unit(self) -> Unit:
        """The liveliest unit of the layer in the middle; random networks have many dead ones."""
        chosen = self.network.default_layers
        layer = chosen[len(chosen) // 2]
        values = self.network.record(self.pictures[:1], [layer.name])[layer.name][0].detach()
        totals = values.sum(0) if values.ndim == 2 else values.flatten(1).sum(1)
        return Unit(layer.name, int(totals.argmax()))

    def layers(self) -> str:
        chosen = len(self.network.default_layers)
        return f"{chosen} of {len(self.network.layers)}, `{self.network.logits.name}`"

    def fields(self) -> str:
        found = [self.network.fields[layer.name] for layer in self.network.default_layers]
        local = [field.size for field in found if not field.whole]
        largest = f", up to {max(local)[0]} x {max(local)[1]}" if local else ""
        return f"{len(local)} of {len(found)}{largest}"

    def picture(self) -> str:
        spectrum = Spectrum.natural(self.network.input.channels, self.network.input.size)
        found = draw(self.network, [self.unit], Recipe(steps=4), spectrum=spectrum)[0]
        expect(bool(found.picture.isfinite().all()) and float(found.picture.std()) > 0, "grey")
        return f"`{self.unit}`"

    def gradient(self) -> str:
        return self._map(gradient)

    def guided(self) -> str:
        return self._map(guided)

    def stream(self) -> str:
        survey = Survey(self.network, [layer.name for layer in self.network.default_layers])
        for batch in batches(TensorDataset(self.pictures), size=len(self.pictures)):
            survey.add(batch)
        return f"{sum(len(layer.firing) for layer in survey.layers.values()):,} units"

    def _map(self, method: Callable[..., torch.Tensor]) -> str:
        found = method(self.network, self.pictures[:1], Channel(self.unit.layer, self.unit.index))
        expect(bool(found.isfinite().all()) and float(found.abs().max()) > 0, "no map")
        return "yes"


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


@dataclass
class Row:
    """What was said of one network, and why not where something was refused or failed."""

    spec: str
    said: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    faults: int = 0

    def take(self, step: str, ask: Callable[[], str]) -> None:
        began = time.perf_counter()
        try:
            self.said[step] = ask()
        except PhospheneError as error:
            self.said[step], self.notes[step] = "refused", str(error)
        except Exception as error:  # whatever it is, the other networks are to be run as well
            self.said[step], self.notes[step] = "fault", f"{type(error).__name__}: {error}"
            self.faults += 1
        seconds = time.perf_counter() - began
        told = self.notes.get(step, "")
        print(f"{self.spec:32} {step:9} {seconds:6.1f} s  {self.said[step]} {told}", flush=True)


def examine(spec: str) -> Row:
    """All steps over one network, which must be the same afterwards."""
    row, made = Row(spec), []

    def load() -> str:
        made.append(load_network(spec, input=NETWORKS.get(spec, {})))
        return "x".join(map(str, made[0].input.shape))

    def unchanging() -> str:
        walk = Walk(made[0])
        with unchanged(walk.network.module):
            for step in Walk.steps:
                row.take(step, getattr(walk, step))
        return "yes"

    row.take("input", load)
    if made:
        row.said["weights"] = f"{sum(p.numel() for p in made[0].module.parameters()) / 1e6:.1f} M"
        row.take("unchanged", unchanging)
    return row


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, with the reasons below."""
    columns = ("weights", "input", *Walk.steps, "unchanged")
    lines = [("network", *columns), ("---",) * (len(columns) + 1)]
    reasons: dict[str, int] = {}
    for row in rows:
        cells = []
        for column in columns:
            cell = row.said.get(column, "")
            if column in row.notes:
                cell += f" ({reasons.setdefault(row.notes[column], len(reasons) + 1)})"
            cells.append(cell)
        lines.append((f"`{row.spec}`", *cells))
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text + "\n\n" + "\n".join(f"{n}. {reason}" for reason, n in reasons.items()) + "\n"


INTRODUCTION = """# The zoo

What holds for networks that others designed, with random weights. `make zoo` runs them and writes
this page; it takes a few minutes after about 6 GB of packages. A new version of a library that
breaks something shows here first.

- **layers**: how many a study looks at of how many there are, and which gives the logits.
- **fields**: how many of these layers have a receptive field of their own. Behind attention, or
  behind squeeze-and-excitation and other norms over all positions, every unit sees everything.
- **picture, gradient, guided**: of the liveliest unit of the layer in the middle.
- **stream**: one batch of the streaming pass, over all these layers.
- **unchanged**: weights, buffers, hooks, flags and attributes are bit for bit what they were.

"""


def main() -> None:
    out, *asked = sys.argv[1:] or ["-"]
    warnings.simplefilter("ignore")
    rows = [examine(spec) for spec in asked or NETWORKS]
    text = table(rows)
    print(text)
    if out != "-":
        Path(out).write_text(INTRODUCTION + text, encoding="utf-8")
    faults = sum(row.faults for row in rows)
    sys.exit(f"{faults} faults" if faults else 0)


if __name__ == "__main__":
    main()
