"""phosphene beside Lucent and Captum on the same networks, in one run: docs/benchmarks.md.

    make bench DATA=../shared/data
    PYTHONPATH=src .venv-zoo/bin/python benchmarks/peers.py torchvision:squeezenet1_1 PHOTOGRAPHS
        [--weights FILE] [--layers features.3 …] [--units 2] [--out docs/benchmarks.md]

The network must be one that Lucent takes: RGB, 224 pixels, normalised as torchvision does.
Hvass's, trained on the embedded digits, runs beside it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch
from opponents import captum_maps, lucent
from races import STEPS, Race, centre, irreducible, maps, race, stream
from torch.utils.data import Subset

from phosphene import (
    Input,
    Network,
    Recipe,
    Settings,
    Spectrum,
    Study,
    Survey,
    Unit,
    batches,
    digits,
    draw,
    each_gradient,
    keep_freed_memory,
    load_data,
    load_network,
)
from phosphene.maximize import Usual
from phosphene.network import GUIDED, frozen
from phosphene.training import Training, seeded, train
from phosphene.zoo import hvass

PEERS = ("torch", "torch-lucent", "kornia", "captum")

INTRODUCTION = f"""# Benchmarks

phosphene beside its peers, each called as its own documentation says, in one run of `make bench`.
Figures of two runs differ on a busy machine; ratios within a run differ less. Medians, with the
lowest and the highest in brackets.

## Pictures

Lucent draws each unit in its {STEPS} steps. The activation it reached is what the network answers
to the finished picture, untouched by moves: the mean over the unit's map. Ours is drawn on the
Fourier canvas, the units of a layer together, until the picture answers as strongly; looking is
off the clock. *Reached* counts the units that did within {STEPS} steps. The last two columns are
the pictures an atlas holds, drawn as is chosen for the layer and the data: seconds for each, and
its activation over Lucent's. Classes of photographs are held near what is usual and give up
activation for resemblance; early channels are drawn for the places that they answer, so the mean of
a map that may be negative elsewhere says little of them.
"""
MAPS = """
## Maps

Milliseconds for the map of one unit on one picture; {units} units of {pictures} pictures, the
centre position of maps. *Apart*: the largest difference over the largest value. Where the unit sees
less than half of the picture, ours is made from the piece it sees.
"""
REST = """
## Streaming, steps and memory
"""


def main() -> None:
    asked = arguments()
    keep_freed_memory()  # all sides, as commands do
    network = load_network(asked.model, asked.weights)
    photographs = load_data(asked.photographs, network.input.channels, network.input.size)
    if asked.memory:
        use(asked.memory, network, torch.stack([photographs[i].picture for i in range(64)]))
        print(high_water())
        return
    some = Subset(photographs, range(min(asked.photos, len(photographs))))
    held = [batch for batch in batches(some, 64) if len(batch.indices)]
    spectrum = Spectrum.measure(batch.pictures for batch in held)
    chosen = Study(network, photographs, Settings(tuple(asked.layers))).layers
    layers = [layer.name for layer in chosen if layer.name != network.logits.name]
    layers.append(network.logits.name)
    some_layers = list(dict.fromkeys([layers[0], layers[len(layers) // 2], *layers[-2:]]))

    page = Page(INTRODUCTION)
    small, own = on_digits()
    for subject in (network, small):
        subject.patch(subject.logits.name)  # measures fields: once a network, not once a picture
    page.table(
        *("layer", "Lucent, s", "ours, s", "steps", "reached", "ratio"),
        *("an atlas's, s", "its activation"),
    )
    usual = Usual.measure(network, (batch.pictures for batch in held))
    races = {
        network: [
            pictures(page, network, n, asked.units, spectrum=spectrum, usual=usual) for n in layers
        ]
    }
    names = [layer.name for layer in small.default_layers]
    usual = Usual.measure(small, (batch.pictures for batch in batches(digits("test"))))
    races[small] = [
        pictures(page, small, name, asked.units, spectrum=own, usual=usual) for name in names
    ]
    for subject, found in races.items():
        ratios = [r for one in found for r in one.ratios]
        page.row(f"**{subject.name}**", *[""] * 4, f"**{ratio(ratios)}**", "", "")

    units = range(asked.map_units)
    shown = torch.cat([batch.pictures for batch in held])[: asked.map_pictures]
    page.say(MAPS.format(units=len(units), pictures=len(shown)))
    page.table("layer", "rule", "Captum, ms", "ours, ms", "ratio", "apart")
    for name in some_layers:
        for rule, (theirs, ours, apart) in maps(network, name, units, shown).items():
            ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
            page.row(name, rule, spread(theirs), spread(ours), ratio(ratios), f"{apart:.0e}")

    page.say(REST)
    for how, made in (
        ("pictures in memory", lambda: held),
        ("reading the files", partial(batches, some, 64)),
    ):
        bare, ours = stream(network, layers, made)
        ratios = [b / a for a, b in zip(bare, ours, strict=True)]
        page.say(
            f"- Survey of {len(layers)} layers over a bare forward pass, {how}: {ratio(ratios)}"
        )
    for name in some_layers:
        shares = irreducible(network, name, 8, spectrum)
        page.say(
            f"- The network's own forward and backward in a step on `{name}`: {spread(shares)}"
        )
    page.say("")
    page.table("peak memory of a process", "peer, MB", "ours, MB")
    for what, keys in MEMORY.items():
        page.row(what, *(peak(key) for key in keys))
    packages = ", ".join(f"{name} {version(name)}" for name in PEERS)
    page.say(f"\n{os.cpu_count()} cores, {torch.get_num_threads()} threads; {packages}.")
    asked.out.write_text(page.text, encoding="utf-8")


def pictures(
    page: "Page", network: Network, layer: str, units: int, *, spectrum: Spectrum, usual: Usual
) -> Race:
    """Race for the first `units` of a layer that Lucent's picture excites at all."""
    one = race(network, layer, units, spectrum, usual)
    page.row(
        f"{network.name} `{layer}`",
        spread(one.lucent),
        spread(one.ours),
        spread(one.steps, "{:.0f}"),
        f"{one.wins} of {units}",
        ratio(one.ratios),
        f"{one.standard:.2f}",
        spread(one.standard_activation),
    )
    return one


class Page:
    """Markdown, printed as it grows."""

    def __init__(self, text: str) -> None:
        self.text = text

    def say(self, line: str) -> None:
        print(line, flush=True)
        self.text += line + "\n"

    def row(self, *cells: str) -> None:
        self.say("| " + " | ".join(cells) + " |")

    def table(self, *columns: str) -> None:
        self.text += "\n"
        self.row(*columns)
        self.row(*["---"] * len(columns))


def spread(values: Sequence[float], form: str = "{:.3g}") -> str:
    """The median, and lowest and highest; what never happened is not counted."""
    finite = [value for value in values if value != float("inf")]
    if not finite:
        return "-"
    low, middle, high = (form.format(f(finite)) for f in (min, median, max))
    return middle if low == high else f"{middle} ({low} to {high})"


def ratio(values: Sequence[float]) -> str:
    return spread(values, "{:.3g}x")


def on_digits() -> tuple[Network, Spectrum]:
    """Hvass's network, trained for some seconds on the embedded digits."""
    data = digits("train")
    network = Network(seeded(hvass, 0), Input(1, (28, 28)), data.classes, "Hvass's")
    recipe = Training(learning_rate=1e-3, steps=300, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        for _ in train(network.module, network.input, data, recipe, Path(folder) / "weights"):
            pass
    return network, Spectrum.measure(batch.pictures for batch in batches(data))


MEMORY = {
    "one picture of a unit in the middle, 16 steps": ("lucent", "draw"),
    "16 pictures together, 16 steps": ("-", "draw 16"),
    "guided maps, 16 units of 4 pictures": ("captum", "maps"),
    "the survey (peer: a bare forward pass), batches of 64": ("bare", "survey"),
}


def use(what: str, network: Network, photographs: torch.Tensor) -> None:
    """Do one thing in this process."""
    layers = [layer.name for layer in network.default_layers]
    middle = layers[len(layers) // 2]
    units = [Unit(middle, i) for i in range(16 if "16" in what else 1)]
    if what == "lucent":
        lucent(network, middle, 0, 16)
    elif what.startswith("draw"):
        draw(network, units, Recipe(steps=16))
    elif what == "captum":
        with frozen(network.module):
            captum_maps(network, middle, photographs[:4], range(16), guided=True)
    elif what == "maps":
        each_gradient(network, photographs[:4], centre(network, middle, range(16)), GUIDED)
    elif what == "bare":
        with torch.no_grad(), frozen(network.module):
            network.module(network.input.normalise(photographs))
    elif what == "survey":
        survey = Survey(network, layers)
        for batch in _as_batches(photographs):
            survey.add(batch)
    else:
        raise ValueError(what)


def _as_batches(photographs: torch.Tensor) -> Iterator:
    return batches(torch.utils.data.TensorDataset(photographs), 64)


def high_water() -> int:
    """The most memory this process has held, in MB; `getrusage` counts its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def peak(what: str) -> str:
    """The peak memory of a process that does just this, in MB."""
    if what == "-":
        return what
    command = [sys.executable, *sys.argv, "--memory", what]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return f"{int(done.stdout.split()[-1]):,}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("--weights")
    parser.add_argument("--layers", nargs="+", default=[])
    parser.add_argument("--units", type=int, default=2, help="raced in each layer")
    parser.add_argument("--photos", type=int, default=256, help="of the spectrum and the pass")
    parser.add_argument("--map-units", type=int, default=16)
    parser.add_argument("--map-pictures", type=int, default=4)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
