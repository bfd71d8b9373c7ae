"""Probes of single pictures: change them, move them, draw them, hide words in them."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli import options
from phosphene.cli.arguments import Image, Rate, Slice, Steps
from phosphene.cli.output import console, say
from phosphene.cli.subjects import Subject
from phosphene.data import batches
from phosphene.errors import SpecError, nearest
from phosphene.maximize import Optimizer
from phosphene.objectives import Logit, LogProbability, Probability
from phosphene.probes import (
    STARTS,
    Family,
    FlipRates,
    against,
    flips,
    fool,
    hide,
    load_message,
    morph,
    morph_distances,
    move_map,
    read_drawing,
    read_strokes,
    reveal,
    rotations,
    save_message,
    scalings,
    shifts,
)
from phosphene.probes.film import CONVINCED, MOST
from phosphene.probes.fooling import usual_rate
from phosphene.words import plural

AIMS = {"logp": LogProbability, "p": Probability, "logit": Logit}
FAMILIES = ("shift", "rotation", "scale")
ONLY = "Only these classes, by name: 3,7. Default: all."
MANY = 20
"""Beyond so many classes a film is made of some, unless they are named."""


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
    rate: Annotated[
        float | None,
        typer.Option(help="How far a step goes. Default: 0.2 at 28x28 pixels, less at more."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"How many steps. Default: until p is {CONVINCED}, at most {MOST}.", min=1
        ),
    ] = None,
) -> None:
    """Lead noise, black or an image to each class until it convinces, and film it."""
    network = subject.network
    if aim not in {*AIMS, "against"}:
        raise SpecError(f"no aim {aim!r}; {nearest(aim, [*AIMS, 'against'])}")
    aimed = against(len(network.classes)) if aim == "against" else AIMS[aim]
    is_file = start not in STARTS and "." in start
    begin = subject.picture(start)[0][None] if is_file else start
    targets = subject.classes(towards)
    told = "every class" if targets is None else towards
    if targets is None and len(network.classes) > MANY:
        step = -(-len(network.classes) // MANY)
        targets = tuple(range(0, len(network.classes), step))
        told = f"{len(targets)} of {len(network.classes):,} classes"
        say(f"{told[0].upper()}{told[1:]}, from all over; name others with --to")
    rate = usual_rate(network) if rate is None else rate
    subject.answer(
        "fool",
        f"Fooling: from {Path(start).name if is_file else start} to {told}",
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


def shift_command(
    subject: Subject,
    image: Annotated[
        str | None,
        typer.Option(help="Map one picture: its number, or a file. Default: count over the data."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="With --image FILE: its class.")] = None,
    move: Annotated[str, typer.Option(help=f"One of {', '.join(FAMILIES)}.")] = "shift",
    radius: Annotated[int, typer.Option(help="Largest shift in pixels (shifts only).", min=1)] = 3,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Weights of the same network trained otherwise, to set beside it."),
    ] = None,
    part: Slice = None,
) -> None:
    """Move, turn or resize pictures and see where the prediction flips."""
    family = _family(move, radius)
    if image is not None:
        if part is not None:
            raise SpecError(f"--slice {part} is about the data; leave it out with --image")
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


def hide_command(
    subject: Subject,
    text: Annotated[str, typer.Argument(help="What to hide.")],
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
    subject.answer(
        "hide",
        f"A hidden message of {plural(len(text), 'character')}",
        lambda: message,
        text=text,
        confidence=confidence,
    )
    console.print(f"The message itself: [b]{into}[/]", highlight=False, soft_wrap=True)


def reveal_command(
    subject: Subject,
    message: Annotated[Path, typer.Argument(help="What `hide` wrote: a .png file or a folder.")],
) -> None:
    """Read a message that was hidden for this network; fails in words for any other."""
    pictures = load_message(message, subject.network.input)
    console.print(reveal(subject.network, pictures), highlight=False, markup=False)
