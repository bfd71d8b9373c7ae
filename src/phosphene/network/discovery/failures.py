"""Why a network failed, or has no such layer, and what can be done about it."""

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.errors import nearest
from phosphene.network.inputs import Input
from phosphene.network.sites import OUTPUT
from phosphene.network.turns import turn


def failed_on_pictures(module: nn.Module, input: Input, error: Exception, name: str) -> str:
    """What to say of a network that runs on no number of pictures of its own size."""
    return (
        f"{name} failed on one picture of its own input size {input}, or on two: {_brief(error)}. "
        f"{_of_inputs(module, input) or _of_first_layer(module, input) or _of_size(module, input)}"
    )


def _of_inputs(module: nn.Module, input: Input) -> str | None:
    """What to do where the network takes something else than one batch of pictures."""
    needed = _needed(module)
    if len(needed) > 1:
        return (
            f"Its forward() takes {len(needed)} inputs ({', '.join(needed)}), and pictures are "
            "one. Wrap it in a module that takes the pictures alone and holds or makes the others"
        )
    if _takes_a_list(module, input):
        return (
            "It takes a list of pictures, as detectors do. Wrap it in a module whose forward(x) "
            "calls it with list(x), or study its backbone"
        )
    return None


def _of_first_layer(module: nn.Module, input: Input) -> str | None:
    """What to do where the first layer is for other things than such pictures."""
    first = _first_layer(module)
    if isinstance(first, nn.Conv3d | nn.ConvTranspose3d | nn.BatchNorm3d):
        return (
            f"Its first layer is a {type(first).__name__}, which wants volumes or films "
            "(b c t h w), and pictures are b c h w. Wrap it in a module that makes one of the "
            "other, such as x[:, None] for slices that are given as channels"
        )
    if isinstance(first, nn.Conv1d | nn.ConvTranspose1d | nn.BatchNorm1d):
        return (
            f"Its first layer is a {type(first).__name__}, which wants signals (b c t), and "
            "pictures are b c h w. Show a signal as a picture one pixel high, "
            "Input(channels, (1, t)), and wrap the network in a module that calls it with "
            "x.squeeze(2)"
        )
    if isinstance(first, nn.Embedding | nn.RNNBase | nn.EmbeddingBag):
        return (
            f"Its first layer is a {type(first).__name__}, which wants sequences, and pictures are "
            "b c h w. Wrap it in a module that makes one of the other"
        )
    channels = getattr(first, "in_channels", input.channels)
    if isinstance(first, nn.Conv2d) and channels != input.channels:
        return (
            f"Check the number of channels: its first convolution takes {channels}, and the input "
            f"was said to have {input.channels}. Give Input({channels}, …), on the command line "
            f"--input {channels}x{input.size[0]}x{input.size[1]}"
        )
    return None


def _of_size(module: nn.Module, input: Input) -> str:
    """What to do where nothing else is known."""
    if _quantised(module):
        return (
            "It is quantised, and its kernels did not run here. Study the network in floating "
            "point from before torch.ao.quantization.convert"
        )
    size = f"{input.channels}x{input.size[0]}x{input.size[1]}"
    return (
        f"Check the number of channels and the size: the input was said to be {size}; give another "
        "with Input(channels, (height, width)), on the command line --input 3x224x224"
    )


def _brief(error: Exception) -> str:
    """The words of an error, without what PyTorch adds of its own sources."""
    words = [line for line in str(error).splitlines() if line.strip()]
    return (words[0] if words else type(error).__name__)[:300].rstrip(". ")


def _needed(module: nn.Module) -> list[str]:
    """The names of the inputs that forward() cannot do without."""
    with suppress(ValueError, TypeError):
        parameters = inspect.signature(module.forward).parameters.values()
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]
    return []


def _first_layer(module: nn.Module) -> nn.Module | None:
    kinds = (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase, nn.Embedding, nn.EmbeddingBag,
             nn.modules.batchnorm._NormBase)  # fmt: skip
    return next((m for m in module.modules() if isinstance(m, kinds)), None)


def _takes_a_list(module: nn.Module, input: Input) -> bool:
    weights = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    picture = torch.full(input.shape, 0.5, dtype=weights.dtype, device=weights.device)
    with torch.no_grad(), suppress(Exception):
        module([picture])
        return True
    return False


def _quantised(module: nn.Module) -> bool:
    return any("quantized" in type(m).__module__ for m in module.modules())


def runs_without_gradient(module: nn.Module, inputs: Tensor, error: Exception) -> bool:
    """Whether what failed with gradients runs without them."""
    if "computes anew on the way back" in str(error):  # as `rules.backward_rule` says itself
        return False
    with torch.no_grad(), suppress(Exception):
        module(inputs.detach())
        return True
    return False


def no_gradient(name: str, error: Exception) -> str:
    """What to say of a network that runs, but not with gradients."""
    return (
        f"{name} runs on pictures, but not with gradients: {_brief(error)}; so no map can be made "
        "and no picture drawn through that part. Write it in PyTorch's own operations (NumPy, "
        "values written in place, and inference_mode have no gradient), or choose a layer before it"
    )


def no_layers(module: nn.Module, name: str, left_out: Mapping[str, str]) -> str:
    """What to say of a network in which nothing can be recorded."""
    if isinstance(module, torch.jit.ScriptModule):
        return (
            f"{name} is compiled (TorchScript), and what happens inside cannot be recorded. Give "
            "the Python network that it was made from, with its weights: "
            "network.load_state_dict(scripted.state_dict())"
        )
    said = "; ".join(dict.fromkeys(left_out.values()))
    return (
        f"{name} has no layer that can be recorded: {said or 'it calls no module'}. A layer is "
        "what a module gives back as floats with a row for each picture; wrap the network in a "
        "module that gives back such"
    )


def why_no_layer(
    name: str,
    module: nn.Module,
    layers: Collection[str],
    left_out: Mapping[str, str],
    run: Callable[[], None],
) -> str:
    """Why a network has no layer of a name, with the nearest; `run` runs it once on pictures."""
    reused = [n for n in layers if n.rpartition("@")[0] == name]
    if reused:
        return f"the module is called {len(reused)} times, choose one of {', '.join(reused)}"
    near = nearest(name, layers)
    if name in left_out:
        return f"{left_out[name]}; {near}"
    inner = dict(module.named_modules()).get(name)
    if inner is None or name in {"", OUTPUT}:
        return near
    kind = type(inner).__name__
    if isinstance(inner, torch.jit.ScriptModule):
        return f"{kind} {name!r} is compiled, and what happens inside cannot be recorded; {near}"
    if _runs_unseen(inner, run):
        return (
            f"{kind} {name!r} is run by calling its .forward() or another of its functions, past "
            "the hooks that record a layer; call the module itself: "
            f"self.{name}(x) instead of self.{name}.forward(x); {near}"
        )
    return f"{kind} {name!r} is there, and nothing runs it when a picture is shown; {near}"


def _runs_unseen(inner: nn.Module, run: Callable[[], None]) -> bool:
    """Whether a module's forward() runs although the module itself is not called."""
    ran = False

    def noting(*args: Any, **kwargs: Any) -> Any:
        nonlocal ran
        ran = True
        return forward(*args, **kwargs)

    with turn(inner):
        forward, own = inner.forward, "forward" in vars(inner)
        try:
            inner.forward = noting
            with suppress(Exception):
                run()
        finally:
            if own:
                inner.forward = forward
            else:
                del inner.forward
    return ran
