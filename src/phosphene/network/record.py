"""The `Network` record: any `nn.Module` with what is needed to show it pictures."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext, suppress
from functools import cached_property, partial
from math import prod
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
    nearest,
)
from phosphene.network.cost import multiply_adds
from phosphene.network.defaults import with_defaults
from phosphene.network.frozen import frozen
from phosphene.network.inputs import Input
from phosphene.network.layers import Discovery, Layer, discover
from phosphene.network.logits import find_logits
from phosphene.network.pieces import Pieces, cut_for
from phosphene.network.receptive import (
    Patch,
    ReceptiveField,
    receptive_fields,
    smallest_patch,
)
from phosphene.network.settings import kept_settings
from phosphene.network.tap import tap
from phosphene.types import LOGITS, Recording, Unit


class _Known(NamedTuple):
    """What one look at a module tells: `order` is how pictures are best laid in memory for it."""

    layers: dict[str, Layer]
    logits: str | None
    order: torch.memory_format


class Network:
    """Wraps any `nn.Module` and never changes it.

    Pictures go in as `b c h w` floats in [0, 1]; the record normalises them. While a pass runs
    the module is in eval mode with frozen weights, and it is given back as it was.

    Args:
        module: the network.
        input: channels, size and normalisation of its input.
        labels: names of the classes, in the order of the outputs; may be empty.
        name: what to call it in figures.

    Raises:
        WeightsError: a parameter or buffer holds NaN or infinity.

    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> network = Network(module, Input(1, (8, 8)))
    >>> [f"{layer.name} {layer.kind} {layer.shape}" for layer in network.default_layers]
    ['0 Conv2d (4, 6, 6)', '3 Linear (10,)']
    >>> recording = network.record(torch.zeros(2, 1, 8, 8), ["0"])
    >>> recording["0"].shape
    torch.Size([2, 4, 6, 6])
    """

    def __init__(
        self, module: nn.Module, input: Input, labels: Sequence[str] = (), name: str | None = None
    ) -> None:
        check_finite(module.state_dict())
        self.module = module
        self.input = input
        self.labels = tuple(labels)
        self.name = name or type(module).__name__
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

    @cached_property
    def _known(self) -> _Known:
        with torch.inference_mode(False), frozen(self.module):
            # Not constant, so that layers which only agree on flat pictures are told apart.
            grey = torch.linspace(0.1, 0.9, 2 * prod(self.input.shape), device=self.device)
            pictures = grey.view(2, *self.input.shape)
            try:
                found, order = self._discover(pictures)
            except Exception as error:
                raise NetworkError(
                    f"{self.name} failed on one picture of its own input size {self.input}, "
                    f"or on two: {error}. Check the number of channels and the size you gave"
                ) from error
        logits = find_logits(found)
        return _Known(with_defaults(found.layers, logits), logits, order)

    def _discover(self, pictures: Tensor) -> tuple[Discovery, torch.memory_format]:
        """The layers, and the order in memory that convolutions are fastest in.

        On a CPU that is channels last (1.2 to 1.6 times as fast, see docs/decisions.md), unless
        the module counts on the usual order, as one does that calls `view` on its maps.
        """
        if self.device.type == "cpu":
            with suppress(Exception):
                found = discover(self.module, self._inputs(pictures, torch.channels_last))
                return found, torch.channels_last
        order = torch.contiguous_format
        return discover(self.module, self._inputs(pictures, order)), order

    @property
    def layers(self) -> dict[str, Layer]:
        """All layers by name, in the order in which they finish."""
        return self._known.layers

    @property
    def default_layers(self) -> list[Layer]:
        """The layers a study looks at unless told otherwise."""
        return [layer for layer in self.layers.values() if layer.default]

    @property
    def logits(self) -> Layer:
        """The layer whose softmax gives the class probabilities.

        Raises:
            NetworkError: the network's output is no vector of class scores.
        """
        name = self._known.logits
        if name is None:
            raise NetworkError(
                f"{self.name} gives back no (b, classes) scores, so it has no logits; "
                "name a layer and a unit instead of a class"
            )
        return self.layers[name]

    @property
    def classifies(self) -> bool:
        """Whether the output is a vector of class scores."""
        return self._known.logits is not None

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels, or "0", "1", … where none were given.

        Raises:
            NetworkError: as many labels as classes are expected.
        """
        count = self.logits.units
        if self.labels and len(self.labels) != count:
            raise NetworkError(
                f"{len(self.labels)} labels were given for {count} classes of {self.name}"
            )
        return self.labels or tuple(str(i) for i in range(count))

    def layer(self, name: str) -> Layer:
        """The layer called `name`; raises `UnknownLayerError` with the nearest names."""
        if name == LOGITS:
            return self.logits
        if name not in self.layers:
            reused = [n for n in self.layers if n.rpartition("@")[0] == name]
            hint = (
                f"the module is called {len(reused)} times, choose one of {', '.join(reused)}"
                if reused
                else nearest(name, self.layers)
            )
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
        with frozen(self.module), tap(self.module, sites.values(), stop) as values:
            self._run(pictures)
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
        return Recording(pictures, {name: values[site.name] for name, site in sites.items()})

    def _run(self, pictures: Tensor) -> Any:
        inputs = self._inputs(pictures, self._known.order)
        size = (pictures.shape[2], pictures.shape[3])
        try:
            with nullcontext() if size == self.input.size else kept_settings(self.module):
                return self.module(inputs)
        except (torch.OutOfMemoryError, PhospheneError):
            raise
        except Exception as error:
            if torch.is_grad_enabled() and pictures.requires_grad:
                refuse_forward_with_gradient(self.name, error)
            if size == self.input.size:
                raise
            raise SizeError(
                f"pictures of {size[0]} x {size[1]} were given to {self.name}, which takes "
                f"{self.input.size[0]} x {self.input.size[1]} and cannot run on another size "
                f"({error}). Resize the pictures"
            ) from error

    @torch.no_grad()
    def class_scores(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The logits of each picture."""
        return self.record(pictures, [LOGITS])[LOGITS]

    def probabilities(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The class probabilities of each picture."""
        return self.class_scores(pictures).softmax(1)

    @cached_property
    def fields(self) -> dict[str, ReceptiveField]:
        """The receptive field of every layer, measured once."""
        return receptive_fields(self.module, list(self.layers.values()), self.input.shape)

    @property
    def measured(self) -> bool:
        """Whether the receptive fields are known already; measuring them takes seconds."""
        return "fields" in vars(self)

    @cached_property
    def costs(self) -> dict[str, int]:
        """The multiply-adds of every layer for one picture, with all that runs inside it."""
        picture = torch.zeros(1, *self.input.shape, device=self.device)
        with frozen(self.module):
            return multiply_adds(self.module, self.layers, self._inputs(picture, self._known.order))

    def patch(self, layer: str) -> Patch:
        """A small input for drawing one neuron of `layer`: see `smallest_patch`."""
        found = self.layer(layer)
        if found.name not in self._patches:
            self._patches[found.name] = smallest_patch(
                self.module, found, self.input.channels, self.fields[found.name]
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
        weight: Tensor = module.weight.detach()  # type: ignore[operator]
        return weight.transpose(0, 1) if getattr(module, "transposed", False) else weight

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the weights and the input record: what an atlas knows its network by."""
        return fingerprint(self.module, self.input)

    def to_json(self) -> dict[str, Any]:
        """Name, input, labels, size and fingerprint as plain values for JSON."""
        return {
            "name": self.name,
            "input": self.input.to_json(),
            "labels": list(self.labels),
            "parameters": sum(p.numel() for p in self.module.parameters()),
            "fingerprint": self.fingerprint,
        }


_SMALLEST_WINDOW = 64  # pixels


def fingerprint(module: nn.Module, *record: object) -> str:
    """A hash of the weights of `module`, and of what else is to be known about it."""
    digest = hashlib.blake2b("".join(map(repr, record)).encode(), digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def check_finite(state: dict[str, Any]) -> None:
    """Raise `WeightsError` naming the first tensors that hold NaN or infinity."""
    bad = [
        f"{name} ({int((~value.isfinite()).sum())} of {value.numel()} values)"
        for name, value in state.items()
        if isinstance(value, Tensor) and value.is_floating_point() and not value.isfinite().all()
    ]
    if bad:
        raise WeightsError(
            f"NaN or infinite weights in {', '.join(bad[:5])}"
            + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
            + "; training has diverged or the file is damaged. Use an earlier checkpoint"
        )
