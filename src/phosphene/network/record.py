"""The `Network` record: any `nn.Module` with what is needed to show it pictures."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import (
    NetworkError,
    PhospheneError,
    SizeError,
    UnknownLayerError,
    UnknownUnitError,
    WeightsError,
)
from phosphene.network.discovery.cost import multiply_adds
from phosphene.network.discovery.defaults import with_defaults
from phosphene.network.discovery.failures import (
    failed_on_pictures,
    no_gradient,
    no_layers,
    runs_without_gradient,
    why_no_layer,
)
from phosphene.network.discovery.layers import Discovery, Layer
from phosphene.network.discovery.logits import Look, Reading, Unread, read_output, two_sided
from phosphene.network.discovery.trial import Trial, trial_pictures, try_out
from phosphene.network.feed import Feed, shown
from phosphene.network.fields.pieces import Pieces, cut_for
from phosphene.network.fields.receptive import (
    Patch,
    ReceptiveField,
    receptive_fields,
    smallest_patch,
)
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input
from phosphene.network.settings import kept_settings
from phosphene.network.state import Fingerprints, check_state, infinite_buffers
from phosphene.network.turn import once, turn
from phosphene.tasks import Task
from phosphene.types import LOGITS, Recording, Unit


class _Known(NamedTuple):
    """What one look at a module tells: `order` is how pictures are best laid in memory for it."""

    layers: dict[str, Layer]
    reading: Reading | Unread
    order: torch.memory_format
    trial: Trial


class Network:
    """Wraps any `nn.Module` and never changes it.

    Pictures go in as `b c h w` floats in [0, 1]; the record normalises them. While a pass runs
    the module is in eval mode with frozen weights, and it is given back as it was.

    Args:
        module: the network.
        input: channels, size and normalisation of its input.
        labels: names of the classes, in the order of the outputs; may be empty.
        name: what to call it in figures.
        output: which layer, or which part of what it gives back, holds the class scores. Found
            where it can be.
        task: what these mean: "softmax", "sigmoid", "binary" or "none", see `phosphene.tasks`.
            Found where it can be, see `reading`.

    Raises:
        WeightsError: a parameter holds NaN or infinity, a buffer NaN; or weights are not there.
        NetworkError: weights were made in inference mode.

    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> network = Network(module, Input(1, (8, 8)))
    >>> [f"{layer.name} {layer.kind} {layer.shape}" for layer in network.default_layers]
    ['0 Conv2d (4, 6, 6)', '3 Linear (10,)']
    >>> recording = network.record(torch.zeros(2, 1, 8, 8), ["0"])
    >>> recording["0"].shape
    torch.Size([2, 4, 6, 6])
    """

    def __init__(
        self,
        module: nn.Module,
        input: Input,
        labels: Sequence[str] = (),
        name: str | None = None,
        *,
        output: str | None = None,
        task: Task | None = None,
    ) -> None:
        check_state(module)
        self.module = module
        self.input = input
        self.labels = tuple(labels)
        self.name = name or type(module).__name__
        self.output = output
        self.told_task = task
        self.loaded: tuple[str, ...] = ()  # what was unusual about the weights' file
        self._fingerprints = Fingerprints()
        self._patches: dict[str, Patch] = {}
        self._pieces: dict[str, Pieces | None] = {}

    def __repr__(self) -> str:
        return f"Network({self.name}, input {self.input}, {len(self.default_layers)} layers)"

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        tensors: Iterable[Tensor] = (*self.module.parameters(), *self.module.buffers())
        return next((t.device for t in tensors), torch.device("cpu"))

    def _inputs(self, pictures: Tensor, order: torch.memory_format) -> Tensor:
        """What the module itself is given: normalised, in the type of its weights."""
        inputs = self.input.normalise(pictures)
        weights = (p for p in self.module.parameters() if p.is_floating_point())
        return inputs.to(next(weights, inputs).dtype, memory_format=order)

    @once
    def _known(self) -> _Known:
        with torch.inference_mode(False), frozen(self.module), steady(self.module):
            pictures = trial_pictures(self.input.shape).to(self.device)
            try:
                trial, order = self._try_out(pictures)
            except PhospheneError:
                raise
            except Exception as error:
                raise NetworkError(
                    failed_on_pictures(self.module, self.input, error, self.name)
                ) from error
            found = trial.found
            self._check_look(found)
            pictures = pictures[torch.arange(trial.feed.batch or 2) % len(pictures)]
            look = Look(found, self.module, self._inputs(pictures, order))
            count = len(self.labels)
            reading = read_output(look, output=self.output, task=self.told_task, labels=count)
        layers = dict(found.layers)
        if isinstance(reading, Unread):
            return _Known(with_defaults(layers, None), reading, order, trial)
        if reading.task == "binary":
            layers, reading = two_sided(layers, reading)
        return _Known(with_defaults(layers, reading.layer), reading, order, trial)

    def _check_look(self, found: Discovery) -> None:
        """Refuse a network without layers, and one that its infinite buffers make infinite."""
        if not found.layers:
            raise NetworkError(no_layers(self.module, self.name, found.left_out))
        infinite = infinite_buffers(self.module)
        ends = [found.values[name] for name in found.ends]
        if infinite and not all(value.isfinite().all() for value in ends):
            raise WeightsError(
                f"the buffers {', '.join(infinite[:5])} of {self.name} are infinite, and so is "
                "what it gives back; training has diverged or the file is damaged. Use an earlier "
                "checkpoint"
            )

    def _try_out(self, pictures: Tensor) -> tuple[Trial, torch.memory_format]:
        """The layers, and the order in memory that convolutions are fastest in.

        On a CPU that is channels last (1.2 to 1.6 times as fast, see docs/decisions.md), unless
        the module counts on the usual order, as one does that calls `view` on its maps.
        """
        if self.device.type == "cpu":
            try:
                trial = try_out(self.module, self._inputs(pictures, torch.channels_last))
                if trial.feed.batch is None:
                    return trial, torch.channels_last
            except NetworkError:
                raise
            except Exception:
                pass
        order = torch.contiguous_format
        return try_out(self.module, self._inputs(pictures, order)), order

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
        return self._known.layers

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

    @property
    def undecided(self) -> bool:
        """Whether its only output is one score that may tell two classes apart, or be a measure."""
        reading = self._known.reading
        return isinstance(reading, Unread) and reading.layer is not None

    def read_as(self, task: Task) -> "Network":
        """The same module with its output read as something else."""
        told = (self.module, self.input, self.labels, self.name)
        found = Network(*told, output=self.output, task=task)
        found.loaded = self.loaded
        return found

    @property
    def task(self) -> Task:
        """What the outputs mean: "softmax", "sigmoid", "binary" or "none"."""
        return self.reading.task if self.classifies else "none"

    @property
    def classifies(self) -> bool:
        """Whether some output is read as classes."""
        return isinstance(self._known.reading, Reading)

    @once
    def classes(self) -> tuple[str, ...]:
        """The labels, or "0", "1", … where none were given.

        One label for a network that tells two classes apart names the second of them.

        Raises:
            NetworkError: as many labels as classes are expected.
        """
        count = self.layers[self.reading.layer].units
        if self.task == "binary" and len(self.labels) == 1:
            return (f"not {self.labels[0]}", self.labels[0])
        if self.labels and len(self.labels) != count:
            raise NetworkError(
                f"{len(self.labels)} labels were given for {count} classes of {self.name}, "
                f"the units of its layer {self.logits.name}; give as many, in the order of the "
                "outputs, or say which output has the classes: output=, on the command line "
                "--output"
            )
        return self.labels or tuple(str(i) for i in range(count))

    def layer(self, name: str) -> Layer:
        """The layer called `name`; raises `UnknownLayerError` with the nearest names."""
        if name == LOGITS:
            return self.logits
        if name not in self.layers:
            found = self._known.trial.found
            hint = why_no_layer(name, self.module, self.layers, found.left_out, self._one_pass)
            raise UnknownLayerError(f"{self.name} has no layer {name!r}; {hint}")
        return self.layers[name]

    def unit(self, named: object) -> Unit:
        """The unit that is meant by a `Unit`, or by a text such as `conv2:17`.

        Raises:
            UnknownLayerError, UnknownUnitError: there is none, with the nearest names.
        """
        unit = Unit.of(named)
        layer = self.layer(unit.layer)
        if not 0 <= unit.index < layer.units:
            raise UnknownUnitError(
                f"layer {layer.name!r} has units 0 to {layer.units - 1}; {unit.index} was asked for"
            )
        if unit.y is not None and not (
            layer.spatial and unit.y < layer.shape[1] and (unit.x or 0) < layer.shape[2]
        ):
            raise UnknownUnitError(f"{unit} is outside layer {layer.name!r} of shape {layer.shape}")
        return unit

    def record(
        self, pictures: Float[Tensor, "b c h w"], layers: Collection[str], stop: bool = True
    ) -> Recording:
        """Run on `pictures` and record the named layers, stopping after the deepest of them.

        Raises:
            InputError, ChannelError, SizeError: the pictures do not fit.
            UnknownLayerError: with the nearest names.
        """
        self.input.check_shape(pictures)
        pictures = pictures.to(self.device)
        sites = {name: self.layer(name).site for name in layers}
        keep = steady(self.module) if self._known.trial.moves else nullcontext()
        with frozen(self.module), keep:
            own = pictures.shape[2:] == self.input.size
            try:
                with nullcontext() if own else kept_settings(self.module):
                    values = shown(
                        self.module, self.feed, pictures, list(sites.values()), self._run, stop=stop
                    )
            except (torch.OutOfMemoryError, PhospheneError):
                raise
            except Exception as error:
                self._explain(error, pictures)
                raise
        missing = {site.name for site in sites.values()} - set(values)
        if missing:
            raise NetworkError(f"layers {sorted(missing)} were not reached on this input")
        uneven = sorted(name for name, value in values.items() if len(value) != len(pictures))
        if uneven and pictures.shape[2:] != self.input.size:  # on its own size an edit may do it
            raise SizeError(
                f"on pictures of {pictures.shape[2]} x {pictures.shape[3]} layers {uneven} of "
                f"{self.name} have no row for each picture, as where they are cut into windows; "
                f"give pictures of its own size {self.input.size[0]} x {self.input.size[1]}"
            )
        recorded = {name: values[site.name] for name, site in sites.items()}
        if LOGITS not in recorded:
            return Recording(pictures, recorded)
        if self.classifies:
            recorded[LOGITS] = self.reading.scores(recorded[LOGITS])
        return Recording(pictures, recorded, self.task)

    def _one_pass(self) -> None:
        """Run once on pictures of its own size, as many as it takes at once."""
        some = trial_pictures(self.input.shape).to(self.device)
        with torch.no_grad(), frozen(self.module):
            for part, _ in self.feed.parts(some):
                self.module(self._inputs(part, self._known.order))

    def _run(self, pictures: Tensor) -> Any:
        return self.module(self._inputs(pictures, self._known.order))

    def _explain(self, error: Exception, pictures: Tensor) -> None:
        """Raise what the cause of a failure is, where it can be told."""
        if torch.is_grad_enabled() and pictures.requires_grad:
            inputs = self._inputs(pictures, self._known.order)
            if runs_without_gradient(self.module, inputs, error):
                raise NetworkError(no_gradient(self.name, error)) from error
        if pictures.shape[2:] != self.input.size:
            raise SizeError(
                f"pictures of {pictures.shape[2]} x {pictures.shape[3]} were given to {self.name}, "
                f"which takes {self.input.size[0]} x {self.input.size[1]} and cannot run on "
                f"another size ({error}). Resize the pictures"
            ) from error

    @torch.no_grad()
    def class_scores(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The logits of each picture; -z/2 and z/2 of a single score z for one of two classes."""
        return self.record(pictures, [LOGITS])[LOGITS]

    def probabilities(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The class probabilities of each picture; raises `NetworkError` as `reading` does."""
        reading = self.reading
        return reading.probabilities(self.class_scores(pictures))

    @once
    def fields(self) -> dict[str, ReceptiveField]:
        """The receptive field of every layer, measured once."""
        layers = list(self.layers.values())
        blurred = self._known.trial.found.blurred
        return receptive_fields(self.module, layers, self.input.shape, self.feed, blurred)

    @property
    def measured(self) -> bool:
        """Whether the receptive fields are known already; measuring them takes seconds."""
        return "fields" in vars(self)

    @once
    def costs(self) -> dict[str, int]:
        """The multiply-adds of every layer for one picture, with all that runs inside it."""
        picture = torch.zeros(1, *self.input.shape, device=self.device)
        ((part, _),) = self.feed.parts(picture)
        with frozen(self.module), steady(self.module):
            inputs = self._inputs(part, self._known.order)
            found = multiply_adds(self.module, self.layers, inputs)
        return {name: cost // len(part) for name, cost in found.items()}

    def patch(self, layer: str) -> Patch:
        """A small input for drawing one neuron of `layer`: see `smallest_patch`."""
        found = self.layer(layer)
        if found.name not in self._patches:
            self._patches[found.name] = smallest_patch(
                self.module, found, self.input.channels, self.fields[found.name], self.feed
            )
        return self._patches[found.name]

    def pieces(self, layer: str) -> Pieces | None:
        """How to cut pictures for one position of `layer`; None where it takes the whole.

        That is so if the field is about as large as the picture, and if trial shows that positions
        answer to their pieces in another way, as where the layer knows where it is.
        """
        found = self.layer(layer)
        if found.name not in self._pieces:
            pieces = cut_for(self.fields[found.name]) if found.spatial else None
            noise = torch.rand(self.input.shape, generator=torch.Generator().manual_seed(0))
            if pieces is not None and not (
                self.takes(pieces.size, found.name)
                and pieces.agree(partial(self._values, found.name), noise)
            ):
                pieces = None
            self._pieces[found.name] = pieces
        return self._pieces[found.name]

    @torch.no_grad()
    def _values(self, layer: str, pictures: Tensor) -> Tensor:
        return self.record(pictures, [layer])[layer]

    def window(self, layer: str) -> tuple[int, int]:
        """The size of picture, (h, w), on which to draw a channel of `layer`.

        Three receptive fields wide, so that what a channel looks for is seen a few times and not
        as a carpet of dots, but not below 64 pixels and not beyond the network's own input. It is
        that input where the layer has no positions or takes no other size.
        """
        found, own = self.layer(layer), self.input.size
        if not found.spatial or max(own) <= _SMALLEST_WINDOW:
            return own
        sides = zip(own, self.fields[found.name].size, strict=True)
        height, width = (min(whole, max(_SMALLEST_WINDOW, 3 * field)) for whole, field in sides)
        return (height, width) if self.takes((height, width), found.name) else own

    def takes(self, size: tuple[int, int], layer: str) -> bool:
        """Whether pictures of `size` (h, w) reach `layer` and give it values for all its units."""
        found = self.layer(layer)
        picture = torch.zeros(1, self.input.channels, *size, device=self.device)
        try:
            with torch.no_grad():
                values = self.record(picture, [found.name])[found.name]
        except (SizeError, NetworkError):
            return False
        units = -1 if len(found.shape) == 2 else 1  # tokens have their features last
        return values.ndim == 1 + len(found.shape) and values.shape[units] == found.units

    def weights(self, layer: str) -> Float[Tensor, "units ..."] | None:
        """The weights that make each unit of `layer`, units first; None for layers without."""
        path = self.layer(layer).weights
        if path is None:
            return None
        module = self.module.get_submodule(path)
        with frozen(self.module):  # a parametrised weight is computed, in training with a change
            weight: Tensor = module.weight.detach()  # type: ignore[operator]
        weight = weight.transpose(0, 1) if getattr(module, "transposed", False) else weight
        two_sides = self.layer(layer).layout == "two_sided"
        return torch.cat([-weight / 2, weight / 2]) if two_sides else weight

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and the input record: what an atlas knows its network by.

        It follows the weights, as far as `Fingerprints` sees them change.
        """
        with turn(self.module):
            return self._fingerprints.of(self.module, self.input, *self._told().items())

    def _told(self) -> dict[str, str]:
        """What was said of the outputs; nothing where all was found."""
        said = {"output": self.output, "task": self.told_task}
        return {key: value for key, value in said.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Name, input, labels, size and fingerprint as plain values for JSON."""
        return {
            "name": self.name,
            "input": self.input.to_json(),
            "labels": list(self.labels),
            "parameters": sum(p.numel() for p in self.module.parameters()),
            "fingerprint": self.fingerprint,
        } | self._told()


_SMALLEST_WINDOW = 64  # pixels
