"""The layers of a network or an atlas as a table, indented like the tree of its modules."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from phosphene.atlas import Atlas, LayerRecord, blaming_damage
from phosphene.cli import options
from phosphene.cli.checking import tell_damage
from phosphene.cli.described import Described, describes
from phosphene.cli.output import print_whole
from phosphene.network import Layer, Network
from phosphene.words import scaled
from phosphene.zoo.specs import is_weights

_DOT = re.compile(r"\.(?![^\[]*\])")  # keys of dictionaries may hold dots


def table_of_network(network: Network) -> Table:
    """All layers: shape, units, receptive field and multiply-adds for one picture."""
    table = _empty()
    fields, costs = network.fields, network.costs
    for name, depth in in_tree(list(network.layers)):
        layer = network.layers.get(name)
        if layer is None:
            table.add_row("", _indented(name, depth))
            continue
        field = fields[name]
        table.add_row(*_cells(layer, depth, str(field), costs.get(name, 0)))
    return table


def table_of_atlas(layers: Sequence[LayerRecord]) -> Table:
    """The layers that an atlas has."""
    table = _empty()
    known = {layer.name: layer for layer in layers}
    for name, depth in in_tree(list(known)):
        if name in known:
            layer = known[name]
            cost = layer.multiply_adds or 0
            table.add_row(*_cells(layer, depth, _seen(layer), cost))
        else:
            table.add_row("", _indented(name, depth))
    return table


def in_tree(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each name with its depth, modules before their parts; modules that are no layers as well.

    >>> list(in_tree(["stem", "a.0.conv", "a.0", "a.1"]))
    [('stem', 0), ('a', 0), ('a.0', 1), ('a.0.conv', 2), ('a.1', 1)]
    """
    children: dict[str, list[str]] = {"": []}
    for name in names:
        starts = [match.start() for match in _DOT.finditer(name)]
        parent = ""
        for path in (*(name[:end] for end in starts), name):
            if path not in children:
                children[path] = []
                children[parent].append(path)
            parent = path

    def walk(parent: str, depth: int) -> Iterator[tuple[str, int]]:
        for path in children[parent]:
            yield path, depth
            yield from walk(path, depth + 1)

    return walk("", 0)


def _empty() -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("")
    table.add_column("layer", no_wrap=True)
    for title in ("kind", "shape", "units", "sees", "multiply-adds"):
        table.add_column(title)
    return table


def _seen(layer: LayerRecord) -> str:
    """What a layer of an atlas sees."""
    if layer.field is None:
        return "?"
    size = "whole picture" if layer.field_whole else f"{layer.field[0]} x {layer.field[1]}"
    return f"{layer.field_bound or ''} {size}".strip()


def _cells(layer: Layer | LayerRecord, depth: int, sees: str, cost: int) -> list[str]:
    shape = " x ".join(str(n) for n in layer.shape)
    mark = "●" if layer.default else ""
    adds = scaled(cost) if cost else ""
    return [mark, _indented(layer.name, depth), layer.kind, shape, str(layer.units), sees, adds]


def _indented(name: str, depth: int) -> str:
    """The whole name, which `--layers` takes, the parents' part of it dimmed."""
    dots = [match.end() for match in _DOT.finditer(name)]
    cut = dots[-1] if dots else 0
    dimmed = f"[dim]{escape(name[:cut])}[/]" if cut else ""
    return "  " * depth + dimmed + escape(name[cut:])


@describes
def layers(
    model: Annotated[str, typer.Argument(help="An atlas, or what `build` takes as MODEL.")],
    *,
    told: Described,
) -> None:
    """List the layers of a network: kind, shape, units, receptive field, multiply-adds.

    Layers are indented like the modules they are in. Those that a study looks at by default are
    marked with ●.
    """
    if Path(model).is_file() and not is_weights(model):
        with Atlas.open(model) as atlas, blaming_damage(atlas):
            table = table_of_atlas(atlas.layers())
            tell_damage(atlas)
    else:
        table = table_of_network(told.network(model, options.device("cpu")))
    print_whole(table)
