"""Attribution methods by the names that people, captions and the command line have for them."""

import ast
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.attribution.from_captum import captum, check_settings
from phosphene.attribution.gradients import METHODS, Attribution, Maps
from phosphene.errors import SettingError, nearest
from phosphene.network import Network
from phosphene.objectives import Term

_CAPTUM = "captum:"
_CALLED = {
    "deconvnet": "DeconvNet",
    "guided": "guided gradient",
    "lrp epsilon": "LRP-ε",
    "lrp z+": "LRP-z⁺",
    "relp": "RelP",
}


def method(text: str) -> Attribution:
    """The attribution of a name: one of `METHODS`, or `captum:NAME`, with settings as in Python.

    Hyphens stand for spaces. Whatever chance there is in a method is the same each time.

    Raises:
        SettingError: no such method or setting, with the nearest; Captum is not installed.

    >>> method("guided").__name__
    'guided'
    >>> cam = method('captum:LayerGradCam(layer="conv2")')
    """
    if text.startswith(_CAPTUM):
        name, settings = _call(text)
        check_settings(name, settings)
        return partial(_captum, name, settings)
    known = _plain(text)
    if known not in METHODS:
        raise SettingError(
            f"no attribution method {text!r}; {nearest(known, METHODS, listing=True)}. "
            "Captum's have names such as captum:Occlusion"
        )
    return METHODS[known]


def called(text: str) -> str:
    """What a caption calls a method.

    >>> called("guided"), called("integrated-gradients"), called("lrp-z+")
    ('guided gradient', 'integrated gradients', 'LRP-z⁺')
    >>> called('captum:LayerGradCam(layer="conv2")')
    'Captum’s LayerGradCam, layer conv2'
    """
    if not text.startswith(_CAPTUM):
        return _CALLED.get(_plain(text), _plain(text))
    name, settings = _call(text)
    return ", ".join([f"Captum’s {name}", *(f"{k} {v}" for k, v in settings.items())])


def _plain(text: str) -> str:
    return text.replace("-", " ").casefold()


def _call(text: str) -> tuple[str, dict[str, Any]]:
    """A name and its settings, written as a call or as the name alone."""
    try:
        asked = ast.parse(text.removeprefix(_CAPTUM).strip(), mode="eval").body
        call = asked if isinstance(asked, ast.Call) else ast.Call(asked, [], [])
        settings = {str(given.arg): ast.literal_eval(given.value) for given in call.keywords}
    except (SyntaxError, ValueError):
        call = None
    if call is None or not isinstance(call.func, ast.Name) or call.args:
        raise SettingError(
            f"{text!r} cannot be read; expected a name of Captum's with settings, such as "
            'captum:LayerGradCam(layer="conv2")'
        )
    return call.func.id, settings


def _captum(
    name: str, settings: Mapping[str, Any], network: Network, pictures: Maps, objective: Term
) -> Float[Tensor, "b c2 h w"]:
    """Captum draws from PyTorch's own random numbers, which are given back as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return captum(network, pictures, objective, name, **settings)
