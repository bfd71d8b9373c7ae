"""The first look at a module: its layers, how its output is read, how it is shown pictures."""

from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from phosphene.errors import NetworkError, PhospheneError, WeightsError
from phosphene.network.discovery.defaults import with_defaults
from phosphene.network.discovery.failures import failed_on_pictures, no_layers
from phosphene.network.discovery.layers import Discovery, Layer
from phosphene.network.discovery.logits import Look, Reading, Unread, read_output, two_sided
from phosphene.network.discovery.trial import Trial, trial_pictures, try_out
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input
from phosphene.network.state import infinite_buffers
from phosphene.tasks import Task


class Known(NamedTuple):
    """What one look at a module tells: `last` is whether it is fastest with channels last.

    That order itself is pickled by the name of the first module that has torch: of the script, in
    processes that it began, and a worker on a cluster does not have it.
    """

    layers: dict[str, Layer]
    reading: Reading | Unread
    last: bool
    trial: Trial

    @property
    def order(self) -> torch.memory_format:
        """How pictures are best laid in memory for the module."""
        return torch.channels_last if self.last else torch.contiguous_format


def look_at(
    module: nn.Module,
    input: Input,
    name: str,
    labels: int = 0,
    *,
    output: str | None = None,
    task: Task | None = None,
) -> Known:
    """Run `module` on a few pictures and find out; `labels` is how many there are.

    `output` and `task` are what was said of it, see `Network`.

    Raises:
        NetworkError: it does not run on its own size, has no layer, or is no function of a picture.
        WeightsError: what it gives back is infinite, as buffers of it are.
        SettingError, UnknownLayerError: `output` or `task` do not fit it.
    """
    with torch.inference_mode(False), frozen(module), steady(module):
        pictures = trial_pictures(input.shape).to(place_of(module))
        try:
            trial, order = _try_out(module, input, pictures)
        except PhospheneError:
            raise
        except Exception as error:
            raise NetworkError(failed_on_pictures(module, input, error, name)) from error
        found = trial.found
        _check(module, found, name)
        pictures = pictures[torch.arange(trial.feed.batch or 2) % len(pictures)]
        look = Look(found, module, inputs_for(module, input, pictures, order))
        reading = read_output(look, output=output, task=task, labels=labels)
    layers, last = dict(found.layers), order == torch.channels_last
    trial = replace(trial, found=replace(found, values={}))  # they have served
    if isinstance(reading, Unread):
        return Known(with_defaults(layers, None), reading, last, trial)
    if reading.task == "binary":
        layers, reading = two_sided(layers, reading)
    return Known(with_defaults(layers, reading.layer), reading, last, trial)


def place_of(module: nn.Module) -> torch.device:
    """Where the parameters live."""
    tensors = chain(module.parameters(), module.buffers())
    return next((t.device for t in tensors), torch.device("cpu"))


def inputs_for(
    module: nn.Module, input: Input, pictures: Tensor, order: torch.memory_format
) -> Tensor:
    """What the module itself is given: normalised, in the type of its weights."""
    inputs = input.normalise(pictures)
    weights = (p for p in module.parameters() if p.is_floating_point())
    return inputs.to(next(weights, inputs).dtype, memory_format=order)


def _try_out(
    module: nn.Module, input: Input, pictures: Tensor
) -> tuple[Trial, torch.memory_format]:
    """The layers, and the order in memory that convolutions are fastest in.

    On a CPU that is channels last (1.2 to 1.6 times as fast, see docs/decisions.md), unless
    the module counts on the usual order, as one does that calls `view` on its maps.
    """
    if pictures.device.type == "cpu":
        try:
            trial = try_out(module, inputs_for(module, input, pictures, torch.channels_last))
            if trial.feed.batch is None:
                return trial, torch.channels_last
        except NetworkError:
            raise
        except Exception:
            pass
    order = torch.contiguous_format
    return try_out(module, inputs_for(module, input, pictures, order)), order


def _check(module: nn.Module, found: Discovery, name: str) -> None:
    """Refuse a network without layers, and one that its infinite buffers make infinite."""
    if not found.layers:
        raise NetworkError(no_layers(module, name, found.left_out))
    infinite = infinite_buffers(module)
    ends = [found.values[end] for end in found.ends]
    if infinite and not all(value.isfinite().all() for value in ends):
        raise WeightsError(
            f"the buffers {', '.join(infinite[:5])} of {name} are infinite, and so is "
            "what it gives back; training has diverged or the file is damaged. Use an earlier "
            "checkpoint"
        )
