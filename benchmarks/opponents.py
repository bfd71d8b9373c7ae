"""What peers do for the same task, each called as its own documentation says."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from captum.attr import GuidedBackprop, NeuronGradient, NeuronGuidedBackprop, Saliency
from jaxtyping import Float
from torch import Tensor, nn

from phosphene import Network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # kornia 0.4 is of 2020
    from horama import maco
    from horama.common import get_color_correlation_svd_sqrt
    from lucent.optvis import objectives, param, render


def lucent(network: Network, layer: str, unit: int, steps: int) -> Float[Tensor, "1 c h w"]:
    """Lucent's picture of a channel: its own canvas (128 pixels), colours, moves and Adam.

    For pictures that are not RGB of 224 pixels, size and channels are told as its documentation
    has it, and its ImageNet normalisation is left out.
    """
    channels, side, _ = network.input.shape
    options = {} if channels == 3 else _small(side, channels)
    name = "labels" if layer == network.logits.name else layer.replace(".", "_")
    before = _hooks(network.module)
    network.module.eval()
    (image,) = render.render_vis(
        network.module,
        objectives.channel(name, unit),
        thresholds=(steps,),
        progress=False,
        show_image=False,
        **options,
    )
    _put_back(network.module, before)  # it leaves them, and each render would be slower
    return torch.from_numpy(image).permute(0, 3, 1, 2).clamp(0, 1)


def _small(side: int, channels: int) -> dict[str, Any]:
    return {
        "param_f": lambda: param.image(side, channels=channels, decorrelate=False),
        "preprocess": False,
        "fixed_image_size": side,
    }


def _hooks(module: nn.Module) -> dict[str, list[int]]:
    return {name: list(child._forward_hooks) for name, child in module.named_modules()}


def _put_back(module: nn.Module, before: dict[str, list[int]]) -> None:
    for name, child in module.named_modules():
        for key in [key for key in child._forward_hooks if key not in before[name]]:
            del child._forward_hooks[key]


def horama_maco(
    network: Network, score: Callable[[Tensor], Tensor], steps: int, size: int
) -> Float[Tensor, "c h w"]:
    """Horama's MACO picture, in [0, 1].

    It draws what goes into the module itself, in -2.5 to 2.5. Its spectrum must lie in the working
    directory: see `horama_spectrum`.
    """
    image, _ = maco(
        score,
        total_steps=steps,
        image_size=size,
        model_input_size=network.input.size[0],
        device="cpu",
    )
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (network.input.mean, network.input.std))
    return (image.detach() * std + mean).clamp(0, 1)


def horama_spectrum(pictures: Sequence[Tensor], folder: Path) -> None:
    """Write what Horama would download: magnitudes of photographs along its colour axes."""
    mixing = get_color_correlation_svd_sqrt("cpu")
    total = torch.zeros(())
    for picture in pictures:
        logits = torch.logit(picture.clamp(0.02, 0.98))
        axes = (logits.permute(1, 2, 0) @ torch.linalg.inv(mixing)).permute(2, 0, 1)
        total = total + torch.fft.rfft2(axes).abs()
    np.save(folder / "spectrum_decorrelated.npy", (total / len(pictures)).numpy())


def captum_maps(
    network: Network,
    layer: str,
    pictures: Float[Tensor, "n c h w"],
    units: Sequence[int],
    *,
    guided: bool,
) -> Float[Tensor, "nm c h w"]:
    """Captum's maps of units (of the centre position of a map), unit by unit."""
    module, inputs = network.module, network.input.normalise(pictures)
    found = network.layer(layer)
    if layer == network.logits.name:
        whole = GuidedBackprop(module) if guided else Saliency(module)
        extra = {} if guided else {"abs": False}
        maps = [whole.attribute(inputs.clone(), target=unit, **extra) for unit in units]
    else:
        kind = NeuronGuidedBackprop if guided else NeuronGradient
        method = kind(module, module.get_submodule(layer))
        _, height, width = found.shape
        maps = [method.attribute(inputs.clone(), (unit, height // 2, width // 2)) for unit in units]
    return torch.stack(maps, dim=1).flatten(0, 1).detach()
