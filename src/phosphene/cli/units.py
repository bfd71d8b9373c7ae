"""Probes of what units and weights are for, and of mistakes."""

from pathlib import Path
from typing import Annotated

import typer
from PIL.Image import Image as Picture
from torch import Tensor

from phosphene.cli import options
from phosphene.cli.arguments import Slice, Steps
from phosphene.cli.subjects import Subject
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.evaluation import nearest_neighbours
from phosphene.figures import filters_sheet, weights_sheet
from phosphene.maximize import Recipe, draw
from phosphene.probes import Restarts, Weights, dissect, misread, restart, units, weights
from phosphene.units import Unit


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


def dissect_command(
    subject: Subject,
    layer: Annotated[str, typer.Argument(help="Which layer.")],
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


def restarts_command(
    subject: Subject,
    unit: Annotated[str, typer.Argument(help="layer:number such as conv2:17, or a class's name.")],
    starts: Annotated[int, typer.Option(help="How often.", min=1)] = 50,
    steps: Steps = 256,
) -> None:
    """Draw one unit from many starts, sort the pictures into groups, keep the clear ones."""
    network, chosen = subject.network, subject.unit(unit)
    on_data = "data" in subject.source

    def distance(pictures: Tensor) -> Tensor:
        return nearest_neighbours(pictures, batches(subject.data), 5).distances.mean(1)

    def ask() -> Restarts:
        near = distance if on_data and subject.is_class(chosen) else None
        return restart(
            network,
            chosen,
            Recipe(steps=steps),
            starts=starts,
            seed=subject.seed,
            spectrum=subject.spectrum,
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
        recipe = Recipe("neuron", steps=steps)
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
