"""The files of a bench that stands beside a static site and needs no server."""

import base64
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import torch
from jinja2 import PackageLoader

from phosphene.attribution.gradients import METHODS
from phosphene.errors import AtlasError, RectifierError
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.figures.site.export import BENCH
from phosphene.figures.site.folder import MADE_BY, slug
from phosphene.figures.site.pages import Pages
from phosphene.figures.views.layer import LayerView
from phosphene.live.bench import bench_context
from phosphene.live.exhibits import Exhibit
from phosphene.live.mailed.program import Program
from phosphene.network import Network
from phosphene.objectives import Channel
from phosphene.units import Unit

ENGINE = ("bench-matrices.js", "bench-engine.js", "bench-answers.js")
"""Scripts that run in a worker, or anywhere, in this order."""

_STATIC = (*ENGINE, "bench-mailed.js", "bench.js", "bench.css")
_NETWORK = "bench-network.js"
_SCRIPTS = (_NETWORK, *ENGINE, "bench-mailed.js", "bench.js")
_METHODS = ("gradient", "gradient x input", "deconvnet", "guided")
_MOST_IMAGES = 24
_CANNOT = (
    "This page runs the network itself, without a server. For maps by {others}, to lead a picture "
    "to another class, to take a unit apart or to imagine it, run phosphene view."
)


def bench_files(exhibit: Exhibit, program: Program, pages: Pages) -> dict[str, str]:
    """The page of the bench and all that it needs, by the names of their files."""
    network = exhibit.network
    assert network is not None, "its program was made of it"
    methods = methods_of(network)
    images = exhibit.images[:: max(1, len(exhibit.images) // _MOST_IMAGES)][:_MOST_IMAGES]
    told = bench_context(exhibit)
    others = ", ".join(name for name in METHODS if name not in methods)
    told |= {
        "assets": "",
        "scripts": _SCRIPTS,
        "mailed": _CANNOT.format(others=others),
        "methods": methods,
        "setting": told["setting"] | {"images": list(images)},
    }
    page = pages.other(PackageLoader("phosphene.live"), BENCH, told)
    data = network_of(network, program) | {
        "images": {number: _image(exhibit, number) for number in images},
        "pages": _pages(pages),
    }
    if network.input.channels not in {1, 3}:
        data |= {"kept": {number: _numbers(exhibit, number) for number in images}}
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    script = f"(globalThis.phosphene ??= {{}}).network = {text};"
    static = files("phosphene.live")
    return {
        **{name: f"{MADE_BY}\n{static.joinpath(f'static/{name}').read_text('utf-8')}"
           for name in _STATIC},
        _NETWORK: f"{MADE_BY}\n{script}\n",
        BENCH: page,
    }  # fmt: skip


def network_of(network: Network, program: Program) -> dict[str, Any]:
    """All that the engine needs to know of a network, as JSON has it.

    Weights are in single precision, lowest byte first, as base64: they are what they were.
    """
    numbers: list[torch.Tensor] = []
    ops, begin = [], 0
    for op in program.ops:
        where = {}
        for name, tensor in op.tensors.items():
            where[name] = (begin, begin + tensor.numel())
            begin += tensor.numel()
            numbers.append(tensor.reshape(-1))
        kernel = {"kernel": tuple(op.tensors["weight"].shape[2:])} if op.kind == "conv" else {}
        given = {"kind": op.kind, "takes": op.takes, "shape": op.shape, "tensors": where}
        ops.append(given | kernel | dict(op.settings))
    packed = torch.cat(numbers) if numbers else torch.zeros(0)
    return {
        "name": network.name,
        "shape": network.input.shape,
        "zero": network.input.zero,
        "classes": list(network.classes) if network.classifies else [],
        "output": network.logits.name if network.classifies else "",
        "unread": "" if network.classifies else network.unread,
        "task": program.task,
        "scores": program.scores,
        "layers": {
            name: {"value": value, "before": _before(network, program, name)}
            for name, value in program.layers.items()
        },
        "ops": ops,
        "numbers": _text(packed),
    }


def _text(numbers: torch.Tensor) -> str:
    """Single precision, lowest byte first, as base64."""
    return base64.b64encode(numbers.numpy().astype("<f4").tobytes()).decode()


def methods_of(network: Network) -> list[str]:
    """The methods that the page has and the network takes: not all networks rectify."""
    picture = torch.full((1, *network.input.shape), 0.5)
    *_, last = network.layers
    found = []
    for name in _METHODS:
        try:
            METHODS[name](network, picture, Channel(last, 0))
        except RectifierError:
            continue
        found.append(name)
    return found


def _before(network: Network, program: Program, layer: str) -> list[tuple[str, int] | None] | None:
    """For each unit the layer and unit that it rectifies; None for those that rectify nothing."""
    found: list[tuple[str, int] | None] = []
    for index in range(network.layers[layer].units):
        unit = Unit(layer, index)
        inside = network.before_rectifier(unit)
        found.append(None if inside in {None, unit} else (inside.layer, inside.index))
    return found if any(found) else None


def _image(exhibit: Exhibit, number: int) -> str:
    try:
        return data_uri(png_bytes(picture_to_image(exhibit.picture(number).numpy())))
    except AtlasError:
        return ""


def _numbers(exhibit: Exhibit, number: int) -> str:
    """A picture that no canvas can hold."""
    try:
        return _text(exhibit.picture(number))
    except AtlasError:
        return ""


def _pages(pages: Pages) -> Mapping[str, Any]:
    """Which units have a page, and what these are called."""
    found = {}
    for record in pages.view.layers:
        shown = [unit.unit for unit in LayerView.of(pages.view, record).shown]
        found[record.name] = {"slug": slug(record.name), "units": shown}
    return found
