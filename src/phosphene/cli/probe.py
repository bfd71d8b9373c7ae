"""`phosphene probe …`: questions put to one network."""

from pathlib import Path
from typing import Annotated

import typer
from PIL.Image import Image as Picture
from torch import Tensor

from phosphene.canvas import Fourier, Spectrum
from phosphene.cli import options
from phosphene.cli.output import console
from phosphene.cli.subject import Subject, about
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.errors import SpecError, nearest
from phosphene.evaluation import nearest_neighbours
from phosphene.figures import filters_sheet, weights_sheet
from phosphene.maximize import Optimizer, Recipe, draw
from phosphene.objectives import Logit, LogProbability, Probability
from phosphene.probes import (
    Family,
    FlipRates,
    Restarts,
    Weights,
    against,
    dissect,
    flips,
    fool,
    hide,
    load_message,
    misread,
    morph,
    morph_distances,
    move_map,
    read_drawing,
    read_strokes,
    restart,
    reveal,
    rotations,
    save_message,
    scalings,
    shifts,
    units,
    weights,
)
from phosphene.types import Unit

probe = typer.Typer(
    help="Put a question to a network: fool it, move its pictures, switch its units off. "
    "Given an atlas, the answer is kept in it and shown on its pages.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

AIMS = {"logp": LogProbability, "p": Probability, "logit": Logit}
FAMILIES = ("shift", "rotation", "scale")
ONLY = "Only these classes, by name: 3,7. Default: all."

Image = Annotated[str, typer.Option(help="A picture: its number in the data, or an image file.")]
Steps = Annotated[int, typer.Option(help="How many steps.", min=1)]
Rate = Annotated[float, typer.Option(help="How far a step goes.")]
Slice = Annotated[
    str | None, typer.Option("--slice", help="Part of the data, from:to such as 0:1000.")
]


@probe.command("fool", rich_help_panel="Change pictures until the answer changes")
@about
def fool_command(
    subject: Subject,
    towards: Annotated[str | None, typer.Option("--to", help=ONLY)] = None,
    start: Annotated[str, typer.Option(help="noise, grey, black, or an image file.")] = "noise",
    aim: Annotated[
        str, typer.Option(help="What to raise: logp, p, logit, or against (all other classes).")
    ] = "logp",
    optimizer: Annotated[str, typer.Option(help="NormalizedGradient, Adam, …")] = (
        "NormalizedGradient"
    ),
    rate: Rate = 0.2,
    steps: Steps = 5,
) -> None:
    """Lead noise, black or an image to each class, and film it."""
    network = subject.network
    if aim not in {*AIMS, "against"}:
        raise SpecError(f"no aim {aim!r}; {nearest(aim, [*AIMS, 'against'])}")
    aimed = against(len(network.classes)) if aim == "against" else AIMS[aim]
    is_file = Path(start).is_file()
    begin = subject.picture(start)[0][None] if is_file else start
    targets = subject.classes(towards)
    subject.answer(
        "fool",
        f"Fooling: from {Path(start).name if is_file else start} to "
        f"{'every class' if targets is None else towards}",
        lambda: fool(
            network,
            targets,
            begin,
            aim=aimed,
            optimizer=Optimizer(optimizer, rate),
            steps=steps,
            seed=subject.seed,
        ),
        targets=targets,
        start=subject.image_key(start) if is_file else start,
        aim=aim,
        optimizer=[optimizer, rate],
        steps=steps,
    )


@probe.command("morph", rich_help_panel="Change pictures until the answer changes")
@about
def morph_command(
    subject: Subject,
    towards: Annotated[str | None, typer.Option("--to", help=ONLY)] = None,
    image: Image = "0",
    rate: Rate = 0.02,
    steps: Steps = 10,
) -> None:
    """Lead one real picture to other classes in small steps, and film it."""
    picture, label = subject.picture(image)
    targets = subject.classes(towards)
    if targets is None:
        targets = tuple(c for c in range(len(subject.network.classes)) if c != label)
    subject.answer(
        "morph",
        f"Morphing: image {Path(image).name} to {towards or 'other classes'}",
        lambda: morph(subject.network, picture[None], targets, rate=rate, steps=steps),
        on_data=image.isdecimal(),
        targets=targets,
        image=subject.image_key(image),
        rate=rate,
        steps=steps,
    )


@probe.command("distances", rich_help_panel="Change pictures until the answer changes")
@about
def distances_command(
    subject: Subject,
    towards: Annotated[
        str | None, typer.Option("--to", help="To these classes. Default: to any other.")
    ] = None,
    rate: Rate = 0.02,
    steps: Steps = 100,
    part: Slice = None,
) -> None:
    """Morph all pictures until their prediction flips: how far is that?"""
    data, told = subject.part(part)
    targets = subject.classes(towards)
    subject.answer(
        "distances",
        f"Distance to {towards or 'any other class'}{told}",
        lambda: morph_distances(subject.network, data, targets, rate=rate, steps=steps),
        on_data=True,
        targets=targets,
        rate=rate,
        steps=steps,
        part=part,
    )


@probe.command("shift", rich_help_panel="Move and draw")
@about
def shift_command(
    subject: Subject,
    image: Annotated[
        str | None,
        typer.Option(help="Map one picture: its number, or a file. Default: count over the data."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Its class, for an image file.")] = None,
    move: Annotated[str, typer.Option(help=f"One of {', '.join(FAMILIES)}.")] = "shift",
    radius: Annotated[int, typer.Option(help="Largest shift in pixels.", min=1)] = 3,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Weights of the same network trained otherwise, to set beside it."),
    ] = None,
    part: Slice = None,
) -> None:
    """Move, turn or resize pictures and see where the prediction flips."""
    family = _family(move, radius)
    if image is not None:
        picture, known = subject.picture(image)
        chosen = subject.classes(label)
        true = chosen[0] if chosen else known
        if true is None:
            raise SpecError(f"the class of {image} is not known; give it with --label")
        subject.answer(
            "move",
            f"Image {Path(image).name} under every {move}",
            lambda: move_map(subject.network, picture, true, family),
            on_data=image.isdecimal(),
            image=subject.image_key(image),
            label=true,
            **family.to_json(),
        )
        return
    data, told = subject.part(part)
    networks = [subject.network, *(subject.named(weights) for weights in also or ())]
    subject.answer(
        "flips",
        f"Flips under {move}s{told}",
        lambda: FlipRates(tuple(flips(net, batches(data), family) for net in networks)),
        on_data=True,
        part=part,
        beside=[net.fingerprint for net in networks[1:]],
        **family.to_json(),
    )


def _family(move: str, radius: int) -> Family:
    if move == "shift":
        return shifts(radius)
    if move == "rotation":
        return rotations(range(-30, 31, 5))
    if move == "scale":
        return scalings([0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4])
    raise SpecError(f"no move {move!r}; {nearest(move, FAMILIES)}")


@probe.command("strokes", rich_help_panel="Move and draw")
@about
def strokes_command(
    subject: Subject,
    drawing: Annotated[
        Path | None, typer.Option(help="Your own drawing, any size, light or dark ground.")
    ] = None,
    light: Annotated[
        bool, typer.Option("--light", help="The network knows dark ink on light ground.")
    ] = False,
) -> None:
    """Have a dash, a vertical, a hook … read, or a drawing of your own."""
    network = subject.network
    if drawing is None:
        subject.answer(
            "strokes", "Strokes", lambda: read_strokes(network, dark=not light), light=light
        )
        return
    subject.answer(
        "drawing",
        f"The drawing {drawing.name}",
        lambda: read_drawing(drawing, network, dark=not light),
        light=light,
        drawing=options.file_hash(drawing),
    )


@probe.command("hide", rich_help_panel="Hidden messages")
@about
def hide_command(
    subject: Subject,
    text: Annotated[str, typer.Option(help="What to hide.")],
    into: Annotated[
        Path, typer.Option(help="The message: a .png file, or a folder of pictures.")
    ] = Path("message.png"),
    confidence: Annotated[
        float, typer.Option(help="How sure the network must be of each picture.")
    ] = 0.99,
    steps: Steps = 200,
) -> None:
    """Hide a text in noise that this network reads back. A demonstration, not security."""
    message = hide(subject.network, text, seed=subject.seed, confidence=confidence, steps=steps)
    save_message(message.pictures, into)
    subject.answer("hide", "A hidden message", lambda: message, text=text, confidence=confidence)
    console.print(f"The message itself: [b]{into}[/]", highlight=False, soft_wrap=True)


@probe.command("reveal", rich_help_panel="Hidden messages")
@about
def reveal_command(
    subject: Subject,
    message: Annotated[Path, typer.Option(help="What `hide` wrote: a .png file or a folder.")],
) -> None:
    """Read a message that was hidden for this network; fails in words for any other."""
    pictures = load_message(message, subject.network.input)
    console.print(reveal(subject.network, pictures), highlight=False, markup=False)


@probe.command("units", rich_help_panel="What units and weights are for")
@about
def units_command(
    subject: Subject,
    layers: Annotated[list[str] | None, typer.Option(help="Only these layers. Repeatable.")] = None,
    threshold: Annotated[
        float, typer.Option(help="Units whose values correlate beyond it repeat each other.")
    ] = 0.95,
    part: Slice = None,
) -> None:
    """Count silent and redundant units, and switch each off to see what it is worth."""
    data, told = subject.part(part)
    subject.answer(
        "units",
        f"What the units are for{told}",
        lambda: units(subject.network, data, layers or None, threshold=threshold),
        on_data=True,
        layers=layers or [],
        threshold=threshold,
        part=part,
    )


@probe.command("dissect", rich_help_panel="What units and weights are for")
@about
def dissect_command(
    subject: Subject,
    layer: Annotated[str, typer.Option(help="Which layer.")],
    part: Slice = None,
) -> None:
    """Count the units that became detectors of a class, by average precision."""
    data, told = subject.part(part)
    subject.answer(
        "dissect",
        f"Detectors among the units of {layer}{told}",
        lambda: dissect(subject.network, data, layer, subject.network.classes),
        on_data=True,
        layer=layer,
        part=part,
    )


@probe.command("restarts", rich_help_panel="What units and weights are for")
@about
def restarts_command(
    subject: Subject,
    unit: Annotated[str, typer.Option(help="layer:number such as conv2:17, or a class's name.")],
    starts: Annotated[int, typer.Option(help="How often.", min=1)] = 50,
    steps: Steps = 256,
) -> None:
    """Draw one unit from many starts, sort the pictures into groups, keep the clear ones."""
    network, chosen = subject.network, subject.unit(unit)
    on_data = "data" in subject.source

    def distance(pictures: Tensor) -> Tensor:
        return nearest_neighbours(pictures, batches(subject.data), 5).distances.mean(1)

    def ask() -> Restarts:
        spectrum = None
        if on_data:
            spectrum = Spectrum.measure(batch.pictures for batch in batches(subject.data))
        near = distance if on_data and subject.is_class(chosen) else None
        return restart(
            network,
            chosen,
            Recipe(steps=steps),
            starts=starts,
            seed=subject.seed,
            spectrum=spectrum,
            distance=near,
        )

    subject.answer(
        "restarts",
        f"{starts} starts of {unit}",
        ask,
        on_data=on_data,
        unit=str(chosen),
        starts=starts,
        steps=steps,
    )


@probe.command("weights", rich_help_panel="What units and weights are for")
@about
def weights_command(
    subject: Subject,
    layer: Annotated[str | None, typer.Option(help="Which layer. Default: the first.")] = None,
    image: Annotated[
        str | None,
        typer.Option(help="Show the filters' activations on this picture, and what they like."),
    ] = None,
    steps: Steps = 64,
) -> None:
    """Show a layer's weights as pictures, or filter, activation and picture of each channel."""
    network = subject.network
    chosen = layer or next(name for name in network.layers if network.weights(name) is not None)
    if image is None:
        subject.answer(
            "weights",
            f"The weights of {chosen}",
            lambda: weights(network, chosen),
            draw=lambda _: weights_sheet(network, chosen),
            layer=chosen,
        )
        return
    picture, _ = subject.picture(image)

    def rows(_: Weights) -> Picture:
        every = [Unit(chosen, i) for i in range(network.layer(chosen).units)]
        recipe = Recipe("neuron", Fourier(), steps=steps)
        return filters_sheet(
            network, chosen, picture, draw(network, every, recipe, seed=subject.seed)
        )

    subject.answer(
        "filters",
        f"The filters of {chosen} on image {Path(image).name}",
        lambda: weights(network, chosen),
        draw=rows,
        on_data=image.isdecimal(),
        layer=chosen,
        image=subject.image_key(image),
        steps=steps,
    )


@probe.command("errors", rich_help_panel="Mistakes")
@about
def errors_command(subject: Subject, part: Slice = None) -> None:
    """Show the pictures that are read wrong, with what the network said."""
    places = options.span(part, length(subject.data))
    subject.answer(
        "errors",
        f"Misread pictures{f' of {part}' if part else ''}",
        lambda: misread(subject.network, subject.data, places),
        on_data=True,
        part=part,
    )
