"""From what a person types as MODEL to a network: also an article's, and weights of `train`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from phosphene.errors import SpecError, WeightsError, nearest
from phosphene.network import Input, Network, find_factory, load_network
from phosphene.network.loading.catalogue import DEFAULT, LIBRARIES
from phosphene.tasks import Task
from phosphene.zoo.articles import ARTICLES
from phosphene.zoo.trained import Trained, read_trained

WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


def load_model(
    model: str,
    weights: str | Path | None = None,
    input: Input | Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    device: str | torch.device = "cpu",
    *,
    output: str | None = None,
    task: Task | None = None,
) -> Network:
    """The network that `model` names: what `load_network` takes, `hvass`, or `mnist.safetensors`.

    The last is a file that `phosphene train` made: it knows its network, also how wide it is. So
    does one that is given as `weights` of an article's network.

    Raises:
        SpecError, WeightsError: there is none, or its weights do not fit; see `load_network`.
    """
    file = weights if model in ARTICLES else model
    known = trained(file)
    if known is not None and (model not in ARTICLES or known.article == model):
        network = known.network(str(weights or model))
        network.module.to(device)
        said = (input and input != network.input, labels, output, task)
        return _told(network, input, labels, output, task) if any(said) else network
    if model in ARTICLES:
        model = f"phosphene.zoo:{model.upper()}"
    elif is_weights(model):
        raise SpecError(
            f"{model} holds weights and does not say of which network, as files of `phosphene "
            f"train` do; give its network too: file.py:factory --weights {model}"
        )
    if isinstance(weights, Path):
        require_weights(weights)
    return load_network(model, weights, input, labels, device, output=output, task=task)


def trained(file: str | Path | None) -> Trained | None:
    """What a weights file says of its network; None for anything else."""
    return read_trained(file) if file is not None and is_weights(file) else None


def is_weights(file: str | Path) -> bool:
    """Whether a text names a file of weights that is there."""
    return Path(file).suffix.lower() in WEIGHTS and Path(file).is_file()


def require_weights(path: Path) -> Path:
    """The path of weights; `WeightsError`, with what lies beside it, where they are not there."""
    if path.is_file():
        return path
    if not path.parent.is_dir():
        raise WeightsError(f"there is no file {path}: there is no folder {path.parent}")
    beside = [p.name for p in path.parent.iterdir() if p.suffix.lower() in WEIGHTS]
    raise WeightsError(
        f"there is no file {path}; weights in that folder: {nearest(path.name, beside)}"
    )


def untrained(model: str, network: Network, weights: str | Path | None) -> str:
    """Where no weights were given, that it is so, and whether they are drawn at random; else ""."""
    if weights is not None or is_weights(model):
        return ""
    library = model.partition(":")[0]
    if library in LIBRARIES:
        return (
            f"no --weights were given: {model} has random ones, and that is what you will see. "
            f"Its trained ones: --weights {DEFAULT}, or a file"
        )
    spec = f"phosphene.zoo:{model.upper()}" if model in ARTICLES else model
    if model in ARTICLES or _at_random(spec, network):
        return (
            f"no --weights were given, and {model} draws its own at random: nothing that follows "
            "is about a trained network. Give --weights FILE"
        )
    return f"no --weights were given: {model}'s own values are studied"


def _at_random(spec: str, network: Network) -> bool:
    """Whether a factory gives other values when it is called once more."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        made = find_factory(spec)()
    module = made.module if isinstance(made, Network) else made
    again = module.state_dict()
    return any(
        name in again and not torch.equal(value.cpu(), again[name].cpu())
        for name, value in network.module.state_dict().items()
    )


def _told(
    network: Network,
    input: Input | Mapping[str, Any] | None,
    labels: Sequence[str],
    output: str | None,
    task: Task | None,
) -> Network:
    known = input if isinstance(input, Input) else replace(network.input, **dict(input or {}))
    named = labels or network.labels
    told = (network.module, known, named, network.name)
    return Network(*told, output=output, task=task, lenses=network.lenses)


def is_file_spec(model: str) -> re.Match[str] | None:
    """The match of `path.py:factory`, with its groups `path` and `factory`."""
    return re.fullmatch(r"(?P<path>.+\.py):(?P<factory>\w+)", model)
