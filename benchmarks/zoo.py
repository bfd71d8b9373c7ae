"""What holds for the networks of torchvision, timm and transformers, with random weights.

    make zoo        # python benchmarks/zoo.py docs/zoo.md in an environment that has them
    python benchmarks/zoo.py - torchvision:resnet18 timm:convnext_atto

Each network goes the full path: its layers, their receptive fields, one picture of a few steps,
one map by gradient and one by guided backpropagation, one batch of the streaming pass over the
layers that a study looks at. Afterwards the module must be bit-identical to what it was. What is
refused is told with the reason; anything else that goes wrong is a fault, and the run fails.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
    batches,
    draw,
    gradient,
    guided,
    load_network,
)
from phosphene.errors import NetworkError

ANY_SIZE = {"size": (224, 224)}
NETWORKS = {
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
STEPS = ("layers", "fields", "picture", "gradient", "guided", "stream", "restored")


@dataclass
class Row:
    """One network: what each step said, and how it failed where it did."""

    spec: str
    size: str = ""
    said: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: int = 0

    def take(self, step: str, ask: Callable[[], str]) -> None:
        """Ask for one step, and note what it says or why it does not."""
        began = time.perf_counter()
        try:
            self.said[step] = ask()
        except PhospheneError as error:
            self.said[step] = "refused"
            self.notes.append(f"{step} refused: {error}")
        except Exception as error:
            self.said[step] = "**fault**"
            self.notes.append(f"{step} fault: {type(error).__name__}: {error}")
            self.faults += 1
        told = f"{self.spec:32} {step:9} {time.perf_counter() - began:6.1f} s  {self.said[step]}"
        print(told, *self.notes[-1:] if self.said[step][-1] in "d*" else (), flush=True)


def examine(spec: str, told: dict[str, object]) -> Row:
    """The full path over one network."""
    row, made = Row(spec), []

    def load() -> str:
        made.append(load_network(spec, input=told))
        return str(made[0].input)

    row.take("input", load)
    if made:
        network = made[0]
        row.size = f"{sum(p.numel() for p in network.module.parameters()) / 1e6:.1f} M"
        row.take("restored", lambda: walk(network, row))
    return row


def walk(network: Network, row: Row) -> str:
    """All steps; raises where they do not leave the module as it was."""
    pictures = torch.rand(4, *network.input.shape, generator=torch.Generator().manual_seed(0))
    layer = None

    def layers() -> str:
        nonlocal layer
        chosen = network.default_layers
        layer = chosen[len(chosen) // 2]
        return f"{len(chosen)} of {len(network.layers)}, logits `{network.logits.name}`"

    def fields() -> str:
        spread = [network.fields[found.name] for found in network.default_layers]
        widest = max((f.size for f in spread if not f.whole), default=None)
        local = sum(not f.whole for f in spread)
        return f"{local} local" + ("" if widest is None else f", up to {widest[0]} x {widest[1]}")

    def picture() -> str:
        spectrum = Spectrum.natural(network.input.channels, network.input.size)
        found = draw(network, [f"{layer.name}:0"], Recipe(steps=4), spectrum=spectrum)[0]
        if not found.picture.isfinite().all() or found.picture.std() == 0:
            raise AssertionError("the picture is grey")
        return f"`{layer.name}:0`"

    def stream() -> str:
        names = [found.name for found in network.default_layers]
        survey = Survey(network, names)
        for batch in batches(TensorDataset(pictures), size=4):
            survey.add(batch)
        units = sum(len(found.firing) for found in survey.layers.values())
        return f"{units:,} units"

    def maps(method: Callable[..., torch.Tensor]) -> Callable[[], str]:
        def ask() -> str:
            found = method(network, pictures[:1], Channel(layer.name, 0))
            if not found.isfinite().all() or found.abs().max() == 0:
                raise AssertionError("the map is empty")
            return "yes"

        return ask

    try:
        with unchanged(network.module):
            row.take("layers", layers)
            if layer is not None:
                row.take("fields", fields)
                row.take("picture", picture)
                row.take("gradient", maps(gradient))
                row.take("guided", maps(guided))
                row.take("stream", stream)
    except AssertionError as error:
        raise NetworkError(f"changed: {error}") from error
    return "yes"


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, with the reasons of what was refused below."""
    head = ("network", "weights", "input", *STEPS)
    lines = [" | ".join(head), "|".join("---" for _ in head)]
    notes: dict[str, int] = {}
    for row in rows:
        marks = {
            note.partition(" ")[0]: notes.setdefault(note, len(notes) + 1) for note in row.notes
        }
        cells = [
            row.said.get(step, "") + (f" [{marks[step]}]" if step in marks else "")
            for step in ("input", *STEPS)
        ]
        lines.append(" | ".join((f"`{row.spec}`", row.size, *cells)))
    text = "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)
    reasons = "\n".join(f"{number}. {note}" for note, number in notes.items())
    return f"{text}\n\n{reasons}\n"


INTRODUCTION = """# The zoo

What holds for networks that others designed, with random weights. Written by `make zoo`, which
runs the full path over each: the layers that a study looks at and the network's logits; how many of
them have a receptive field of their own; a picture and maps of the unit in the middle; one batch of
the streaming pass over all these layers; and whether the module is bit-identical afterwards.

"""


def main() -> None:
    out, *asked = sys.argv[1:] or ["-"]
    warnings.simplefilter("ignore")
    rows = [examine(spec, NETWORKS.get(spec, {})) for spec in asked or NETWORKS]
    text = table(rows)
    print(text)
    if out != "-":
        Path(out).write_text(INTRODUCTION + text, encoding="utf-8")
    faults = sum(row.faults for row in rows)
    sys.exit(f"{faults} faults" if faults else 0)


if __name__ == "__main__":
    main()
