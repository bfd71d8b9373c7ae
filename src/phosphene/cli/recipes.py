"""Recipes: classes from blank, dreams, inversions, caricatures, facets, mixtures."""

from dataclasses import replace
from typing import Annotated

import typer

from phosphene.cli import options
from phosphene.cli.arguments import Image, Steps
from phosphene.cli.subjects import Subject
from phosphene.maximize.recipe import STANDARD
from phosphene.probes import caricature, class_models, dream, facets, interpolate, invert
from phosphene.probes.caricatures import CARICATURE
from phosphene.probes.classes import BLANK
from phosphene.probes.dreaming import DREAM
from phosphene.probes.inversion import INVERT

Layer = Annotated[str, typer.Argument(help="Which layer.")]
Layers = Annotated[list[str], typer.Option(help="Which layers. Repeatable.")]
UnitText = Annotated[str, typer.Argument(help="layer:number such as conv2:17, or a class's name.")]


def classes_command(
    subject: Subject,
    towards: Annotated[
        str | None, typer.Option("--to", help="Only these classes, by name: cat,dog. Default: all.")
    ] = None,
    decay: Annotated[float, typer.Option(help="How much large values are held back.")] = 1.0,
    steps: Steps = BLANK.steps,
) -> None:
    """Draw classes from a blank picture, after Simonyan."""
    targets = subject.classes(towards)
    subject.answer(
        "classes",
        f"{towards or 'All classes'} from blank",
        lambda: class_models(
            subject.network, targets, replace(BLANK, steps=steps), decay=decay, seed=subject.seed
        ),
        targets=targets,
        decay=decay,
        steps=steps,
    )


def dream_command(
    subject: Subject,
    layer: Layer,
    image: Image,
    units: Annotated[
        str | None, typer.Option(help="Only these units of the layer: 3,17. Default: all.")
    ] = None,
    octaves: Annotated[int, typer.Option(help="Sizes worked on.", min=1)] = 4,
    whole: Annotated[bool, typer.Option("--whole", help="Keep an image file's own size.")] = False,
    steps: Annotated[int, typer.Option(help="How many steps at each size.", min=1)] = DREAM.steps,
) -> None:
    """Let a layer see more of what it sees in a picture: DeepDream."""
    picture = subject.whole_picture(image) if whole else subject.picture(image)[0]
    chosen = None if units is None else tuple(int(n) for n in options.numbers(units, "--units"))
    subject.answer(
        "dream",
        f"{layer} dreams of {image}",
        lambda: dream(
            subject.network,
            picture,
            layer,
            units=chosen,
            recipe=replace(DREAM, steps=steps),
            octaves=octaves,
            seed=subject.seed,
        ),
        on_data=image.isdecimal(),
        layer=layer,
        image=subject.image_key(image),
        units=units,
        octaves=octaves,
        whole=whole,
        steps=steps,
    )


def invert_command(
    subject: Subject,
    layers: Layers,
    image: Image,
    variation: Annotated[
        float, typer.Option(help="Weight of total variation, which keeps pictures smooth.")
    ] = 0.1,
    steps: Steps = INVERT.steps,
) -> None:
    """Find what else a layer would take for this picture: what it kept, and what it forgot."""
    picture, _ = subject.picture(image)
    subject.answer(
        "invert",
        f"What {', '.join(layers)} kept of {image}",
        lambda: invert(
            subject.network,
            picture,
            layers,
            replace(INVERT, steps=steps),
            variation=variation,
            seed=subject.seed,
        ),
        on_data=image.isdecimal(),
        layers=layers,
        image=subject.image_key(image),
        variation=variation,
        steps=steps,
    )


def caricature_command(
    subject: Subject, layers: Layers, image: Image, steps: Steps = CARICATURE.steps
) -> None:
    """Exaggerate what a layer sees in a picture."""
    picture, _ = subject.picture(image)
    subject.answer(
        "caricature",
        f"A caricature of {image} by {', '.join(layers)}",
        lambda: caricature(
            subject.network,
            picture,
            layers,
            replace(CARICATURE, steps=steps),
            seed=subject.seed,
            spectrum=subject.spectrum,
        ),
        on_data="data" in subject.source,
        layers=layers,
        image=subject.image_key(image),
        steps=steps,
    )


def facets_command(
    subject: Subject,
    unit: UnitText,
    layer: Annotated[
        str | None, typer.Option(help="In which layer they must differ. Default: the unit's own.")
    ] = None,
    count: Annotated[int, typer.Option(help="How many pictures.", min=2)] = 4,
    steps: Steps = STANDARD.steps,
) -> None:
    """Draw several pictures of one unit that are unlike one another."""
    chosen = subject.unit(unit)
    subject.answer(
        "facets",
        f"{count} facets of {unit}",
        lambda: facets(
            subject.network,
            chosen,
            layer or chosen.layer,
            count=count,
            recipe=replace(STANDARD, steps=steps),
            seed=subject.seed,
            spectrum=subject.spectrum,
        ),
        on_data="data" in subject.source,
        unit=str(chosen),
        layer=layer,
        count=count,
        steps=steps,
    )


def interpolate_command(
    subject: Subject,
    first: UnitText,
    second: UnitText,
    count: Annotated[int, typer.Option(help="How many pictures.", min=2)] = 7,
    steps: Steps = STANDARD.steps,
) -> None:
    """Draw what lies between two units."""
    ends = subject.unit(first), subject.unit(second)
    subject.answer(
        "interpolate",
        f"From {first} to {second}",
        lambda: interpolate(
            subject.network,
            *ends,
            count=count,
            recipe=replace(STANDARD, steps=steps),
            seed=subject.seed,
            spectrum=subject.spectrum,
        ),
        on_data="data" in subject.source,
        units=[str(end) for end in ends],
        count=count,
        steps=steps,
    )
