"""Networks by name from torchvision, timm and transformers, with what these know about them.

Each library is optional and imported when it is first asked for. Sizes, means, deviations and
class names are its own; nothing here is about a particular network.
"""

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from phosphene.errors import (
    DownloadError,
    PhospheneError,
    SpecError,
    WeightsError,
    nearest,
)
from phosphene.network.inputs import Input
from phosphene.network.lenses import Lens
from phosphene.network.loading.weights import load_weights, read_weights
from phosphene.tasks import Task

DEFAULT = "DEFAULT"


@dataclass(frozen=True)
class Entry:
    """A module and what its maker says about it; an `input` of None is still to be found."""

    module: nn.Module
    name: str
    input: Input | None = None
    labels: tuple[str, ...] = ()
    output: str | None = None
    task: Task | None = None
    lenses: tuple[Lens, ...] = ()


def from_library(library: str, name: str, weights: str | Path | None, classes: int | None) -> Entry:
    """The network that `library` (one of `LIBRARIES`) calls `name`.

    `weights` is a file, or the library's own name for trained weights, which may be downloaded;
    None draws them at random, the same ones each time. `classes` is how many classes a network
    without the library's own weights is to have.

    Raises:
        SpecError: the library is missing or broken, knows no such network or weights, or takes
            pictures that `Input` cannot describe.
        WeightsError: the weights do not fit.
        DownloadError: what is needed is not on this machine and cannot be fetched.
    """
    if not name:
        raise SpecError(f"{library}: names no network; write {library}:NAME")
    if weights is not None:
        # What could be a name and is no file is the library's name for its weights.
        named = str(weights).isidentifier() and not Path(weights).exists()
        weights = str(weights) if named else Path(weights)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of random weights drawn otherwise one day
        torch.default_generator.manual_seed(0)
        return LIBRARIES[library](name, weights, classes)


def _torchvision(name: str, weights: str | Path | None, classes: int | None) -> Entry:
    models = _imported("torchvision.models", "torchvision")
    known = models.list_models()
    if name not in known:
        raise SpecError(f"torchvision has no network {name!r}; {nearest(name, known)}")
    trained = models.get_model_weights(name)
    if isinstance(weights, str) and weights not in trained.__members__:
        raise SpecError(
            f"torchvision has no weights {weights!r} for {name}; "
            f"{nearest(weights, trained.__members__)}; or give a file"
        )
    chosen = trained[weights] if isinstance(weights, str) else None
    input, labels = _torchvision_record(chosen or getattr(trained, DEFAULT, None))
    settings: dict[str, Any] = {"weights": chosen}
    if chosen is None and classes not in {None, len(labels)}:
        settings["num_classes"], labels = classes, ()
    if "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters:
        settings["weights_backbone"] = None
    remedy = (
        f"fetch {getattr(chosen, 'url', '')} where that works and put it into "
        f"{Path(torch.hub.get_dir()) / 'checkpoints'}, or give the file as weights"
    )
    with _fetching(f"torchvision:{name}", remedy, download=chosen is not None):
        module = models.get_model(name, **settings)
    if isinstance(weights, Path):
        load_weights(module, weights)
    return Entry(module, name, input, labels)


def _torchvision_record(described: Any) -> tuple[Input | None, tuple[str, ...]]:
    """The input and the labels that one member of a network's weights tells."""
    if described is None:
        return None, ()
    preset = described.transforms()
    size = getattr(preset, "crop_size", None) or getattr(preset, "resize_size", None)
    input = _input(size, getattr(preset, "mean", None), getattr(preset, "std", None))
    return input, tuple(described.meta.get("categories", ()))


def _timm(name: str, weights: str | Path | None, classes: int | None) -> Entry:
    timm, data = _imported("timm", "timm"), _imported("timm.data", "timm")
    _only_default("timm", name, weights, "the tag goes into the name, as in timm:resnet50.a1_in1k")
    if not timm.is_model(name):
        known = timm.list_models()
        raise SpecError(f"timm has no network {name!r}; {nearest(name.partition('.')[0], known)}")
    width = {} if weights == DEFAULT or classes is None else {"num_classes": classes}
    with _fetching(f"timm:{name}", "", download=False):
        published = timm.get_pretrained_cfg(name)  # refuses a tag that there is not
    hub = getattr(published, "hf_hub_id", None)
    place = f"https://huggingface.co/{hub}" if hub else getattr(published, "url", None)
    remedy = f"fetch its weights from {place} where that works and give the file as weights"
    with _fetching(f"timm:{name}", remedy, download=weights == DEFAULT):
        module = timm.create_model(name, pretrained=weights == DEFAULT, **width)
    if isinstance(weights, Path):
        load_weights(module, weights)
    config = data.resolve_model_data_config(module)
    channels, *size = config["input_size"]
    labels = _timm_labels(data, module)
    fits = len(labels) == getattr(module, "num_classes", len(labels))
    input = _input(size, config["mean"], config["std"], channels)
    return Entry(module, name, input, labels if fits else ())


def _timm_labels(data: Any, module: Any) -> tuple[str, ...]:
    """The names in the network's own description, or those of the ImageNet it was made for."""
    config = module.pretrained_cfg
    names = config.get("label_names") or ()
    described = config.get("label_descriptions") or {}
    if names:
        return tuple(str(described.get(name, name)) for name in names)
    subset = data.infer_imagenet_subset(module)
    return tuple(data.ImageNetInfo(subset).label_descriptions()) if subset else ()


def _hf(name: str, weights: str | Path | None, classes: int | None) -> Entry:
    hf = _imported("transformers", "hf")
    spec, folder = f"hf:{name}", Path(name)
    _only_default("hf", name, weights, "leave them out for random ones")
    kind = name in hf.CONFIG_MAPPING and not folder.is_dir()
    if kind and weights == DEFAULT:
        raise SpecError(
            f"{spec} is a kind of network and has no weights of its own; "
            "name a model of the hub, such as hf:OWNER/MODEL, or a folder saved by save_pretrained"
        )
    remedy = (
        "fetch config.json, preprocessor_config.json and model.safetensors of "
        f"https://huggingface.co/{name} where that works into a folder and write hf:FOLDER"
    )
    width = {} if weights == DEFAULT or classes is None else {"num_labels": classes}
    with _fetching(spec, remedy, download=not kind):
        make = hf.AutoConfig.for_model if kind else hf.AutoConfig.from_pretrained
        config = make(name, **width)
        told = not kind and not _lacks(folder, "preprocessor_config.json")
        processor = hf.AutoImageProcessor.from_pretrained(name).to_dict() if told else {}
        module = hf.AutoModelForImageClassification.from_config(config)
        if weights is not None:
            module = _hf_trained(module, weights, name)
    module.register_forward_hook(_logits)
    labels = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    if all(label == f"LABEL_{i}" for i, label in enumerate(labels)):
        labels = ()  # what transformers writes where nobody named the classes
    title = folder.name if folder.is_dir() else name
    return Entry(module, title, _processed(spec, processor, config), labels)


def _hf_trained(module: Any, weights: str | Path, name: str) -> Any:
    """`module` with weights, through transformers, which has renamed many since they were saved."""
    file = {"state_dict": read_weights(weights)} if isinstance(weights, Path) else {}
    made, report = type(module).from_pretrained(
        None if file else name, config=module.config, output_loading_info=True, **file
    )
    bad = {
        fault: sorted(str(key) for key in report.get(f"{fault}_keys", ()))
        for fault in ("missing", "mismatched", *(["unexpected"] if file else []))
    }
    if any(bad.values()):
        faults = "; ".join(f"{k}: {', '.join(v[:8])}" for k, v in bad.items() if v)
        raise WeightsError(
            f"the weights {f'in {weights}' if file else f'of {name}'} do not fit "
            f"{type(module).__name__}: {faults}. Transformers would draw what is missing at "
            "random; use a model that was trained to classify images"
        )
    return made


def _lacks(folder: Path, file: str) -> bool:
    return folder.is_dir() and not (folder / file).is_file()


def _logits(module: nn.Module, args: Any, output: Any) -> Any:
    """Turn a `ModelOutput` into its scores; a hook, so that all modules keep their names."""
    return output.logits


def _processed(spec: str, processor: Mapping[str, Any], config: Any) -> Input | None:
    """The input that an image processor of transformers makes of a picture."""
    cropped = processor.get("crop_size") if processor.get("do_center_crop") else None
    size: Any = cropped or processor.get("size") or getattr(config, "image_size", None)
    if isinstance(size, Mapping):
        size = (size["height"], size["width"]) if "height" in size else size.get("shortest_edge")
    normalised = processor.get("do_normalize", False)
    mean = processor.get("image_mean") if normalised else None
    std = processor.get("image_std") if normalised else None
    channels = getattr(config, "num_channels", 3)
    low, high = 0.0, 1.0
    if processor:
        factor = processor["rescale_factor"] if processor.get("do_rescale") else 1.0
        low = -1.0 if processor.get("rescale_offset") else 0.0
        high = low + round(255 * factor, 6)
    found = _input(size, mean, std, channels, (low, high))
    flipped = found is not None and processor.get("do_flip_channel_order")
    return replace(found, order="bgr") if found is not None and flipped else found


def _input(
    size: int | Sequence[int] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    channels: int = 3,
    value_range: tuple[float, float] = (0.0, 1.0),
) -> Input | None:
    """An input from a library's numbers; None where it does not say how large pictures are."""
    if size is None:
        return None
    sides = (size,) if isinstance(size, int) else tuple(size)
    return Input(
        channels,
        (sides[0], sides[-1]),
        tuple(mean) if mean is not None else 0.0,
        tuple(std) if std is not None else 1.0,
        value_range,
    )


def _only_default(library: str, name: str, weights: str | Path | None, remedy: str) -> None:
    if isinstance(weights, str) and weights != DEFAULT:
        raise SpecError(
            f"weights {weights!r} of {library}:{name} are neither {DEFAULT} nor a file; {remedy}"
        )


def _imported(module: str, extra: str) -> Any:
    package = module.partition(".")[0]
    remedy = f"pip install 'phosphene[{extra}]'"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == package:
            raise SpecError(
                f"{extra}:… needs {package}, which is not installed: {remedy}"
            ) from None
        raise SpecError(f"{package} cannot be imported: {error}; try {remedy}") from error
    except Exception as error:  # a torchvision built for another torch fails in its own ways
        raise SpecError(
            f"{package} cannot be imported: {type(error).__name__}: {error}; it may be built for "
            f"another version of torch. In a new environment, {remedy}"
        ) from error


@contextmanager
def _fetching(spec: str, remedy: str, *, download: bool) -> Iterator[None]:
    """Tell a library's failure in one line, with what can be done without a connection."""
    try:
        yield
    except PhospheneError:
        raise
    except Exception as error:  # each library has its own for being offline
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        if download:
            raise DownloadError(
                f"{spec} is not on this machine and cannot be fetched ({reason}); {remedy}"
            ) from error
        raise SpecError(f"{spec} cannot be built: {reason}") from error


LIBRARIES: dict[str, Callable[[str, str | Path | None, int | None], Entry]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "hf": _hf,
}
"""The prefixes of specs that name a library's network, with what makes them."""
