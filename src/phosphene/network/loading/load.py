"""From a text such as `model.py:make` or `timm:resnet50` to a `Network`."""

import importlib
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from phosphene.errors import SpecError, nearest
from phosphene.network.discovery.guess import guess_input
from phosphene.network.inputs import Input
from phosphene.network.lenses import Lens
from phosphene.network.loading.catalogue import LIBRARIES, Entry, from_library
from phosphene.network.loading.files import module_of
from phosphene.network.loading.spec import Spec
from phosphene.network.loading.weights import load_weights
from phosphene.network.record import Network
from phosphene.network.state import check_state
from phosphene.tasks import Task


def load_network(
    spec: str | Spec,
    weights: str | Path | None = None,
    input: Input | Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | torch.device = "cpu",
    *,
    output: str | None = None,
    task: Task | None = None,
) -> Network:
    """Build a network from a text that says how it is made, and load its weights.

    - `file.py:factory` or `package.module:factory`: the factory takes no arguments and returns an
      `nn.Module` or a `Network`.
    - `torchvision:NAME`, `timm:NAME`, `hf:NAME`: a network of that library; `hf` stands for the
      image classifiers of transformers, by their name on the hub, by the folder they are saved in,
      or by their kind (`hf:vit`). Labels, size, mean and deviation are the library's.

    `weights` is a file, or what the library calls its trained weights, such as "DEFAULT"; without
    them a library's network gets random ones, the same each time. `input` and `labels` go before
    what is found; of an input some fields may be given, as in `{"size": (160, 160)}`. As many
    labels as are given make the classes of a library's network that is not trained. The input of
    a bare module is found by trial when only one usual size runs through it. `output` and `task`
    say which output holds the classes and what it means, as in `Network`.

    The network keeps all this as its `spec`, a value of which the same network is made again, and
    which stands for what is not said beside it.

    Raises:
        SpecError: file, module, factory, library or name not found, or the factory returned
            something else; the input cannot be told.
        WeightsError: the weights do not fit.
        DownloadError: a library cannot fetch what it needs.
    """
    lenses: tuple[Lens, ...] = ()
    if isinstance(spec, Spec):
        lenses = spec.lenses
        weights, input, labels = weights or spec.weights, input or spec.input, labels or spec.labels
        output, task, spec = output or spec.output, task or spec.task, spec.model
    library, _, name = spec.partition(":")
    remarks: tuple[str, ...] = ()
    if library in LIBRARIES:
        entry = from_library(library, name, weights, len(labels) or None)
    else:
        entry = _from_factory(spec)
        if weights is not None:
            remarks = load_weights(entry.module, weights)
    check_state(entry.module)  # before weights that are not there are moved
    entry.module.to(device)
    network = Network(
        entry.module,
        _told(input, entry),
        labels or entry.labels,
        entry.name,
        output=output or entry.output,
        task=task or entry.task,
        lenses=tuple(dict.fromkeys((*entry.lenses, *lenses))),
    )
    network.loaded = remarks
    file = None if weights is None else str(weights)
    network.spec = Spec(spec, file, network.input, tuple(labels), output, task, network.lenses)
    return network


def _from_factory(spec: str) -> Entry:
    made = find_factory(spec)()
    if isinstance(made, Network):
        told = (made.output, made.told_task, made.lenses)
        return Entry(made.module, made.name, made.input, made.labels, *told)
    if not isinstance(made, nn.Module):
        raise SpecError(
            f"{spec} returned a {type(made).__name__}; "
            "expected a torch.nn.Module or a phosphene.Network"
        )
    kind = type(made)
    ours = not kind.__module__.startswith("torch.nn")  # a Sequential is called by who made it
    return Entry(made, kind.__name__ if ours else spec.rpartition(":")[2])


def _told(given: Input | Mapping[str, Any] | None, entry: Entry) -> Input:
    """The input that is given, as far as it is, and for the rest the one that is found."""
    if isinstance(given, Input):
        return given
    fields = dict(given or {})
    if entry.input is None and {"channels", "size"} <= fields.keys():
        return Input(**fields)
    return replace(entry.input or guess_input(entry.module), **fields)


def find_factory(spec: str, given: Collection[str] = ()) -> Any:
    """The callable that `file.py:name` or `package.module:name` stands for.

    It may need those arguments that are `given`, and no others.
    """
    place, colon, name = spec.rpartition(":")
    if not colon or not place or not name:
        raise SpecError(
            f"{spec!r} names no factory; write file.py:factory or package.module:factory"
        )
    module = module_of(Path(place)) if place.endswith(".py") else _from_package(place, name)
    found = getattr(module, name, None)
    if not callable(found):
        public = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise SpecError(f"{place} has no function {name!r}; {nearest(name, public)}")
    required = [
        p.name
        for p in inspect.signature(found).parameters.values()
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in given
    ]
    if required:
        raise SpecError(
            f"{spec} needs arguments ({', '.join(required)}); "
            "write a function without these that calls it"
        )
    return found


def _from_package(name: str, factory: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        file = Path(*name.split(".")).with_suffix(".py")
        remedy = (
            f"did you mean {file}:{factory}?"
            if file.is_file()
            else "install it, or give a path to a .py file"
        )
        raise SpecError(f"module {name!r} cannot be imported: {error}; {remedy}") from error
