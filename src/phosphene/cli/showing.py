"""`phosphene show`: units of an atlas, printed and drawn; where they look in a picture."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL.Image import Image
from rich.table import Table

from phosphene.allocator import for_good
from phosphene.atlas import Atlas
from phosphene.cli.arguments import Device
from phosphene.cli.checking import tell_damage
from phosphene.cli.described import Described, describes
from phosphene.cli.output import check_picture, console, in_characters, say, write_new
from phosphene.errors import SettingError, UnknownUnitError
from phosphene.figures import layer_sheet, unit_sheet
from phosphene.figures.site.folder import slug
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.names import Names
from phosphene.naming import class_called, nearest_class
from phosphene.results import in_format
from phosphene.units import Unit
from phosphene.words import NO_BREAK, number, percent


@describes
def show(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    units: Annotated[
        list[str],
        typer.Argument(metavar="UNIT...", help="layer:number such as conv2:17, or whole layers."),
    ],
    image: Annotated[
        str | None,
        typer.Option(help="Show where the units look in this picture: a file, or a number."),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="With --image, and as often as you like: gradient, gradient-x-input, deconvnet, "
            "guided, integrated-gradients, lrp-epsilon, lrp-z+, relp, or Captum's by name, such as "
            "captum:Occlusion.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --image: how to make the network, if not as built.")
    ] = None,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="With --image: run the code that the atlas names."),
    ] = False,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The picture to write. Default: named after the unit.")
    ] = None,
    *,
    told: Described,
) -> None:
    """Print what is known of a unit and draw it; give a layer's name for all of its units.

    With --image, one figure shows where each of the units looks in that picture, by plain gradient,
    DeconvNet and guided backpropagation or by each --method, beside the real patches that excite it
    most. Settings of Captum's methods are written as in Python:
    'captum:LayerGradCam(layer="conv2")'.
    """
    check_picture(out)
    if image is not None:
        _looking(atlas, units, image, methods or (), model, trust, device, out, told)
        return
    if methods:
        raise SettingError("--method says how to look at a picture; give --image cat.png too")
    with for_good():
        import matplotlib.figure  # noqa: F401 - slow to import
    for name in units:
        path = out or Path(f"{_as_file(name)}.png")
        if out is not None and len(units) > 1:
            path = out.with_stem(f"{out.stem}-{_as_file(name)}")
        with Atlas.open(atlas) as opened:
            _draw_to(path, _sheet(opened, name), asked=out is not None)
            tell_damage(opened)


def _looking(
    atlas: Path,
    units: Sequence[str],
    image: str,
    methods: Sequence[str],
    model: str | None,
    trust: bool,
    device: str,
    out: Path | None,
    told: Described,
) -> None:
    """Draw where units look in a picture, which takes the network."""
    from phosphene.attribution import method
    from phosphene.cli.answering import source
    from phosphene.figures import attributions_sheet
    from phosphene.figures.sheets.attributions import SHOWN

    for name in methods:
        method(name)  # told now, before the network is made
    about = source(str(atlas), model, None, 0, device, trust, told)
    picture, _ = about.picture(image)
    with Atlas.open(atlas) as opened:
        chosen = [about.network.unit(_one_unit(opened, name)) for name in units]
        figure = attributions_sheet(
            about.network, picture, chosen, opened, methods=methods or SHOWN
        )
        tell_damage(opened)
    named = "-".join(_as_file(name) for name in units[:3])
    _draw_to(out or Path(f"{named}-in-{Path(image).stem}.png"), figure, asked=out is not None)


def _as_file(name: str) -> str:
    return name.replace("/", "-").replace(":", "-")


def _sheet(atlas: Atlas, name: str) -> Image:
    """The figure of a unit, a class by its name, or a whole layer."""
    layers = {layer.name: layer for layer in atlas.layers()}
    names = AtlasView(atlas).names
    if name not in layers and ":" not in name:
        _suggest_unit(name, layers)
        name = _class(names, name, layers)
    if name in layers:
        return layer_sheet(atlas, name)
    unit = Unit.parse(name)
    if unit.y is not None:
        raise UnknownUnitError(
            f"an atlas keeps whole units, not {unit}; ask for {unit.layer}:{unit.index}"
        )
    figure = unit_sheet(atlas, unit.layer, unit.index)
    _describe(atlas, unit)
    return figure


def _one_unit(atlas: Atlas, name: str) -> str:
    """A class by its name in the atlas as its unit, any other text as it is; no whole layer."""
    layers, names = {layer.name for layer in atlas.layers()}, AtlasView(atlas).names
    if name in layers:
        raise UnknownUnitError(
            f"{name!r} is a layer; with --image name units of it, such as {name}:0"
        )
    _suggest_unit(name, layers)
    return name if ":" in name or names.output is None else _class(names, name, {names.output})


def _class(names: Names, name: str, layers: Collection[str]) -> str:
    """The unit of a class by its name."""
    outputs = names.outputs if names.output in layers else ()
    found = class_called(name, outputs)
    if found is None:
        raise UnknownUnitError(
            f"no class or layer {name!r} in the atlas; "
            f"{nearest_class(name, outputs, tuple(layers))}. A layer of the network that was not "
            "studied is added by building with --layers"
        )
    return f"{names.output}:{found}"


def _suggest_unit(name: str, layers: Collection[str]) -> None:
    """Raise `UnknownUnitError` for a unit as files and pages are called, `conv2-17`."""
    match = re.fullmatch(r"(?:unit-)?(?P<layer>.+)-(?P<unit>\d+)", Path(name).stem)
    written = {slug(layer): layer for layer in layers} | {layer: layer for layer in layers}
    if name not in layers and match is not None and match["layer"] in written:
        raise UnknownUnitError(
            f"{name!r} is no layer; a unit is written layer:number: did you mean "
            f"{written[match['layer']]}:{match['unit']}?"
        )


def _draw_to(path: Path, figure: Image, *, asked: bool) -> None:
    path = write_new(path, in_format(figure, path.suffix), replace=asked)
    if console.is_terminal:
        console.print(in_characters(figure, min(console.width, 120)))
    say(f"Drawn to [b]{path}[/]")


def _describe(atlas: Atlas, unit: Unit) -> None:
    record = atlas.unit(unit.layer, unit.index)
    names = AtlasView(atlas).names
    table = Table(
        box=None, show_header=False, title=f"[b]{unit.layer}:{unit.index}", title_justify="left"
    )
    table.add_row("fires on", f"{percent(record.firing_rate)} of the pictures")
    table.add_row("values", f"mean {number(record.mean)}, deviation {number(record.deviation)}")
    table.add_row("largest", number(record.maximum))
    if record.preferred_class is not None and record.selectivity is not None:
        preferred = names.label(record.preferred_class)
        table.add_row("prefers", f"{preferred}, selectivity {number(record.selectivity)}")
    if record.twin is not None and record.twin_correlation is not None:
        alike = number(record.twin_correlation)
        table.add_row("twin", f"{unit.layer}:{record.twin}, correlation {alike}")
    for layer, most in (record.correlated or {}).items():
        if most:
            told = ", ".join(f"{each.unit} ({number(each.correlation)})" for each in most)
            table.add_row(f"correlates most in {layer} with", told)
    for picture in atlas.pictures(unit.layer, unit.index):
        reached = f"activation {number(picture.activation)}"
        if picture.strongest_real and picture.strongest_real > 0:
            times = number(picture.activation / picture.strongest_real)
            reached += f", {times}{NO_BREAK}× the strongest real one"
        if precision := picture.settings.get("precision"):
            reached += f", drawn in {precision}"
        if picture.silent:
            reached = "never fires: " + "; ".join(picture.attempts)
        table.add_row(f"{picture.kind} picture", reached)
    console.print(table)
