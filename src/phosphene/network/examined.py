"""A module that has been looked at once: its layers, and which of them has the classes."""

from collections.abc import Hashable
from functools import reduce

import torch
from torch import nn

from phosphene.errors import NetworkError, UnknownLayerError
from phosphene.network.discovery.failures import why_no_layer
from phosphene.network.discovery.layers import Layer
from phosphene.network.discovery.logits import Reading, Unread
from phosphene.network.feed import Feed
from phosphene.network.inputs import Input
from phosphene.network.lenses import Lens, with_derived
from phosphene.network.look import Known, look_at, place_of
from phosphene.network.precision import Lowered
from phosphene.network.recording import Passes
from phosphene.network.turns import once
from phosphene.precisions import Precision, precision_of
from phosphene.tasks import Task
from phosphene.units import LOGITS


class Examined:
    """What one look at a module tells, when it is first asked for.

    See `Network`, which is this with what is said and found of its outputs and fields.
    """

    module: nn.Module
    input: Input
    labels: tuple[str, ...]
    name: str
    output: str | None
    told_task: Task | None
    lenses: tuple[Lens, ...]
    loaded: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return place_of(self.module)

    @once
    def _known(self) -> Known:
        labels, told = len(self.labels), self.told_task
        return look_at(self.module, self.input, self.name, labels, output=self.output, task=told)

    @property
    def _passes(self) -> Passes:
        known = self._known
        return Passes(self.module, self.input, self.name, known.order, known.trial)

    def lowered(self, precision: Precision) -> Lowered | None:
        """How to `record` passes that are computed in `precision`; None for float32.

        The weights are kept in that precision for as long as this is, see `Lowered`.

        Raises:
            SettingError: there is no such precision, or PyTorch has it not on this device.
            NetworkError: weights are not float32, or the module does not run in it.
        """
        if precision_of(precision) == "float32":
            return None
        found = Lowered(self.module, self.device)
        if self._unlowered is not None:
            raise NetworkError(
                f"{self.name} does not run in {precision} ({self._unlowered}); leave precision "
                "out, for float32"
            )
        return found

    @once
    def _unlowered(self) -> str | None:
        """Why the module does not run in bfloat16; None where it does."""
        try:
            self._passes.run_once(Lowered(self.module, self.device))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            return str(error)
        return None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is unusual in how the network was loaded or is shown pictures; mostly nothing."""
        return (*self.loaded, *self._known.trial.remarks)

    @property
    def feed(self) -> Feed:
        """How many pictures the network is shown at once."""
        return self._known.trial.feed

    @property
    def layers(self) -> dict[str, Layer]:
        """All layers by name, in the order in which they finish."""
        return self._derived if self.lenses else self._known.layers

    @once
    def _derived(self) -> dict[str, Layer]:
        return reduce(with_derived, self.lenses, self._known.layers)

    @property
    def default_layers(self) -> list[Layer]:
        """The layers a study looks at unless told otherwise."""
        return [layer for layer in self.layers.values() if layer.default]

    @property
    def reading(self) -> Reading:
        """Which layer gives the class scores, what they mean, and how that is known.

        Raises:
            NetworkError: no output is read as classes, with the reason and the remedy.
        """
        reading = self._known.reading
        if isinstance(reading, Unread):
            raise NetworkError(self.unread)
        return reading

    @property
    def unread(self) -> str:
        """Why no output is read as classes, with the remedy; empty where one is."""
        reading = self._known.reading
        return f"{self.name} {reading.reason}" if isinstance(reading, Unread) else ""

    @property
    def logits(self) -> Layer:
        """The layer that gives the class scores; raises `NetworkError` as `reading` does.

        Also that of a single score, of which nobody said whether it is a class's.
        """
        reading = self._known.reading
        if isinstance(reading, Unread) and reading.layer is not None:
            return self.layers[reading.layer]
        return self.layers[self.reading.layer]

    def layer(self, name: str) -> Layer:
        """The layer called `name`; raises `UnknownLayerError` with the nearest names."""
        if name == LOGITS:
            return self.logits
        if not isinstance(name, Hashable):
            raise UnknownLayerError(f"{name!r:.80} was given where one layer is meant; give one")
        if name not in self.layers:
            found = self._known.trial.found
            hint = why_no_layer(
                name, self.module, self.layers, found.left_out, self._passes.run_once
            )
            raise UnknownLayerError(f"{self.name} has no layer {name!r}; {hint}")
        return self.layers[name]
