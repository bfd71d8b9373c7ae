"""`phosphene demo`: everything at once, on digits or on photographs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from phosphene.atlas import Atlas
from phosphene.cli import options
from phosphene.cli.arguments import Device, Seed
from phosphene.cli.finishing import finish
from phosphene.cli.following import follow_training
from phosphene.cli.output import command, say
from phosphene.data import digits
from phosphene.figures import attributions_sheet
from phosphene.network import Input, Network
from phosphene.probes import reactions
from phosphene.progress import counted, follow, telling
from phosphene.study import CHANNELS, Settings, Study, build, keep_probe
from phosphene.training import Training, seeded, train
from phosphene.units import Unit
from phosphene.zoo import efficientnet_lite0, hvass, photographs, pictured

CLASSES = (
    *("goldfish", "flamingo", "Egyptian cat", "espresso", "school bus", "zebra"),
    *("golden retriever", "castle", "broccoli", "jellyfish", "fire engine", "acoustic guitar"),
    *("king penguin", "bald eagle", "volcano", "banana", "computer keyboard", "mushroom"),
    *("sports car", "liner"),
)
"""Animals, plants, food, places, vehicles, things: some are drawn well and some are not."""

STAGES = ("bn0", "blocks.0", "blocks.2", "blocks.4", "blocks.7", "blocks.10", "blocks.14")
"""Where the stages end, but for the last and the head, which see whole pictures as classes do."""

EACH = 4
"""Channels of each stage that are drawn: the first ones, as good as any."""

STEPS = 96

LOOKED_AT = ("astronaut", "chelsea", "china", "coffee", "flower", "rocket")
"""The photographs that units are shown looking at."""

LOOKING = ("blocks.7", "blocks.14", "fc")
"""The layers of which one unit each is shown, that which answers most for what it can."""


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Where to put everything. Default: demo, or demo-photos."),
    ] = None,
    photos: Annotated[
        bool,
        typer.Option(
            "--photos",
            help="Instead study a deep network of photographs that others trained: "
            "pip install 'phosphene[photos]'.",
        ),
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a small network on real handwritten digits and study every unit of it.

    Needs no network and no data: the 1,797 digits come with scikit-learn (8x8 pixels, enlarged to
    28x28). Writes OUT/digits.safetensors, OUT/digits.atlas and OUT/site/index.html. Run again, it
    goes on where it was stopped and is done in seconds.

    With --photos: EfficientNet-Lite0, trained on ImageNet, with twenty of its classes, some
    channels of each stage, and where they look in photographs that come with scikit-image. Writes
    OUT/photos.atlas and OUT/site/index.html.
    """
    if photos:
        _photos(out or Path("demo-photos"), seed, device)
    else:
        _digits(out or Path("demo"), seed, device)


def _digits(out: Path, seed: int, device: str) -> None:
    training = Training(learning_rate=1e-3, steps=800, seed=seed)
    input = Input(1, (28, 28))
    module = seeded(hvass, seed).to(options.device(device))
    data = digits("train")
    follow_training(train(module, input, data, training, out / "digits.safetensors"), 800)
    network = Network(module, input, data.classes, "Hvass's network on digits")
    source = {
        "model": "phosphene.zoo:HVASS",
        "weights": str(out / "digits.safetensors"),
        "data": "digits:test",
    }
    study = Study(network, digits("test"), Settings(seed=seed), source)
    follow(build(study, out / "digits.atlas"))
    finish(out / "digits.atlas", out / "site", "conv2:3")


def _photos(out: Path, seed: int, device: str) -> None:
    network = efficientnet_lite0()
    network.module.to(options.device(device))
    atlas = out / "photos.atlas"
    study = photos_study(network, seed)
    out.mkdir(parents=True, exist_ok=True)
    follow(build(study, atlas))
    with telling("looking at photographs"):
        for name in counted(LOOKED_AT):
            _look(network, atlas, name)
    finish(atlas, out / "site", f"{study.layers[-1].name}:{study.chosen['fc'][0]}")
    say(f"Any picture of yours: [b]{command()} show {atlas} blocks.7:2 --image cat.jpg[/]")


def photos_study(network: Network, seed: int = 0, steps: int = STEPS) -> Study:
    """Twenty classes, and the first channels of each stage, by the recipes of any study."""
    logits = network.logits.name
    units = [f"{logits}:{network.classes.index(name)}" for name in CLASSES]
    settings = Settings(
        (*STAGES, logits),
        (replace(CHANNELS, steps=steps),),
        seed=seed,
        batch=32,
        units=(f"*:0-{EACH - 1}", *units),
    )
    source = {"model": "phosphene.zoo:efficientnet_lite0", "data": "phosphene.zoo:photographs"}
    return Study(network, photographs(network.input.size), settings, source)


def _look(network: Network, path: Path, name: str) -> None:
    """Keep in the atlas where its units look in one photograph."""
    picture = pictured(name, network.input.size)
    with Atlas.build(path) as atlas:
        found = reactions(network, picture, list(_candidates(atlas)))
        keep_probe(
            atlas,
            network,
            "look",
            f"Where units look: {name}",
            lambda: found,
            params={"photograph": name, "units": [str(unit) for unit in found.units]},
            draw=lambda answer: attributions_sheet(
                network, picture, answer.units, atlas, methods=("gradient", "guided")
            ),
        )


def _candidates(atlas: Atlas) -> Iterator[list[tuple[Unit, float]]]:
    """The units of each layer that are shown, with the most they answered to a real picture."""
    for layer in LOOKING:
        examined = atlas.examined(layer)
        yield [
            (Unit(layer, record.unit), record.maximum)
            for record in atlas.units(layer)
            if record.unit in examined
        ]
