"""Captum's many methods under our objectives: one adapter, the same maps out."""

import importlib
import inspect
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.attribution.gradients import Maps
from phosphene.errors import InputError, SettingError, nearest
from phosphene.network import Network, frozen
from phosphene.objectives import Term

_OURS = {"self", "model", "forward_func", "inputs", "target", "additional_forward_args"}
"""What the methods of Captum are told by the adapter."""


def captum(
    network: Network,
    pictures: Maps,
    objective: Term,
    method: str,
    /,
    *,
    layer: str | None = None,
    smooth: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Float[Tensor, "b c2 h w"]:
    """A map for each picture by the class of that name in `captum.attr`.

    `settings` go to its constructor or to its `attribute`, whichever knows them: for `Occlusion`
    for example `sliding_window_shapes=(1, 5, 5)`. Methods about a layer (`LayerGradCam`, ...) need
    `layer`, and their maps are enlarged to the pictures' size. `smooth`, where given, holds the
    settings of Captum's `NoiseTunnel` around the method: SmoothGrad is
    `captum(..., "Saliency", abs=False, smooth={"nt_samples": 32, "stdevs": 0.1})`. `Occlusion`
    hides an eighth of each side at a time, in steps of half of that, unless settings say otherwise.

    Whatever Captum's classes mean by their input is in picture space here, [0, 1], before
    normalisation. Note that its backward rules act on ReLU modules only; ours act on all.

    Raises:
        SettingError: Captum is not installed; it has no such method or setting; one, or a layer, is
            missing or too much; Captum itself refuses.
        UnknownLayerError: with the nearest names.
        InputError: pictures outside [0, 1]; a map that is no picture.

    *Source:* Kokhlikyan et al. 2020, "Captum" (arXiv 2009.07896).
    """
    network.input.check_shape(pictures)
    network.input.check_values(pictures)
    asked = settings | ({} if layer is None else {"layer": layer})
    check_settings(method, asked)
    kind = _method(method)
    known = inspect.signature(kind).parameters
    settings = _usual(method, network.input.shape) | settings
    own = {name: settings.pop(name) for name in list(settings) if name in known}
    if layer is not None:
        own["layer"] = _module(network, layer)
    for name in objective.layers:  # found now, before Captum's hooks are in place
        network.layer(name)
    # An objective of b units for b pictures is asked picture by picture, since Captum repeats them.
    groups = [pictures] if objective.batch is None else list(pictures.split(1))
    with frozen(network.module), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum warns that it will set hooks, and removes them
        maps = [
            _attribute(kind(_Scored(network, objective, i), **own), group, smooth, settings)
            for i, group in enumerate(groups)
        ]
    found = torch.cat(maps).detach()
    if found.ndim != 4:
        raise InputError(
            f"{method} of layer {layer!r} gave values of shape {tuple(found.shape)}, which are no "
            "maps; give a layer that has positions"
        )
    if found.shape[2:] == pictures.shape[2:]:
        return found
    return nn.functional.interpolate(found, pictures.shape[2:], mode="bilinear")


def check_settings(method: str, settings: Mapping[str, Any]) -> None:
    """Whether Captum's `method` can be asked with `settings`, `layer` and `smooth` among them.

    Raises:
        SettingError: Captum is not installed; what it does not know, with the nearest, or does
            not get.
    """
    kind = _method(method)
    made, asked = (dict(inspect.signature(part).parameters) for part in (kind, kind.attribute))
    known = {n: p for n, p in (made | asked).items() if n not in _OURS and p.kind != p.VAR_KEYWORD}
    if "layer" in settings and "layer" not in known:
        raise SettingError(f"{method} is about the pictures; leave out layer={settings['layer']!r}")
    for name in settings:
        if name not in {*known, "smooth"}:
            raise SettingError(f"{method} has no setting {name!r}; {nearest(name, known)}")
    needed = {n for n, p in known.items() if p.default is p.empty}
    missing = needed - settings.keys() - _usual(method, (1, 1, 1)).keys()
    if "layer" in missing:
        raise SettingError(f"{method} is about a layer; give layer='conv1', say")
    if missing:
        raise SettingError(f"{method} needs {', '.join(sorted(missing))}, which is not given")


def _usual(method: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Settings that Captum asks for and that go without saying for pictures of a shape."""
    if method != "Occlusion":
        return {}
    channels, *size = shape
    sides = [max(1, -(-side // 8)) for side in size]
    strides = [max(1, side // 2) for side in sides]
    return {"sliding_window_shapes": (channels, *sides), "strides": (channels, *strides)}


class _Scored(nn.Module):
    """Pictures to the scores of an objective; the network is a submodule, so hooks find it."""

    def __init__(self, network: Network, objective: Term, place: int) -> None:
        super().__init__()
        self.module = network.module
        self._network = network
        self._objective, self._place = objective, place

    def forward(self, pictures: Tensor) -> Tensor:
        objective = self._objective
        if objective.batch is not None:
            objective = objective.take([self._place] * len(pictures))
        return objective(self._network.record(pictures, objective.layers, stop=False))


def _attribute(
    asked: Any, pictures: Tensor, smooth: Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> Tensor:
    leaf = pictures.detach().clone().requires_grad_()
    around = asked if smooth is None else _attr().NoiseTunnel(asked)
    try:
        maps: Tensor = around.attribute(leaf, **(smooth or {}), **settings)
    except (AssertionError, TypeError, ValueError) as error:  # ours are of other kinds
        name = type(asked).__name__
        raise SettingError(f"Captum's {name} refuses with {settings}: {error}") from error
    except RuntimeError as error:
        if "not have been used" not in str(error):
            raise
        raise SettingError(
            f"the unit does not depend on the layer that Captum's {type(asked).__name__} was asked "
            "about; give one that comes before it"
        ) from error
    return maps


def _attr() -> ModuleType:
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise SettingError(
            "this method is Captum's, which is not installed: pip install 'phosphene[captum]'"
        ) from error


def _method(name: str) -> Any:
    attr = _attr()
    methods = {
        key: kind
        for key, kind in vars(attr).items()
        if isinstance(kind, type) and hasattr(kind, "attribute")
    }
    if name not in methods:
        raise SettingError(f"Captum has no method {name!r}; {nearest(name, methods)}")
    return methods[name]


def _module(network: Network, layer: str) -> nn.Module:
    """The module whose output a layer's values are."""
    site = network.layer(layer).site
    if site.call is not None:
        raise SettingError(
            f"layer {site.name!r} is one of several calls of one module, which Captum cannot tell "
            "apart"
        )
    if site.keys or site.layout.kind not in {"maps", "vector"}:
        raise SettingError(
            f"the values of layer {site.name!r} are a part of what its module gives back, or lie "
            "there otherwise than maps (tokens, channels last), which Captum cannot read; "
            "choose a layer that gives back maps"
        )
    return network.module.get_submodule(site.path)
