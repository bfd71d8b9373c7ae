"""The `Network` record: any `nn.Module` with what is needed to show it pictures."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import InputError
from phosphene.naming import listed
from phosphene.network.discovery.cost import multiply_adds
from phosphene.network.discovery.guess import guess_input
from phosphene.network.edges import weights_of
from phosphene.network.fields.between import Between
from phosphene.network.fields.pieces import Pieces
from phosphene.network.fields.windows import Patch
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input, suggested
from phosphene.network.lenses import Lens
from phosphene.network.loading.files import files_of, know_again
from phosphene.network.loading.spec import Spec
from phosphene.network.onward import Onward
from phosphene.network.outputs import Outputs
from phosphene.network.precision import Lowered
from phosphene.network.recorded import Recording
from phosphene.network.state import Fingerprints, check_state
from phosphene.network.turns import once, turn
from phosphene.results import html_table
from phosphene.tasks import Task
from phosphene.units import LOGITS, Unit


class Network(Outputs, Onward):
    """Wraps any `nn.Module` and never changes it.

    Pictures go in as `b c h w` floats in [0, 1]; the record normalises them. While a pass runs
    the module is in eval mode with frozen weights, and it is given back as it was.

    Args:
        module: the network.
        input: channels, size and normalisation of its input; sought by trial unless given.
        labels: names of the classes, in the order of the outputs; may be empty.
        name: what to call it in figures.
        output: which layer, or which part of what it gives back, holds the class scores. Found
            where it can be.
        task: what these mean: "softmax", "sigmoid", "binary" or "none", see `phosphene.tasks`.
            Found where it can be, see `reading`.
        lenses: layers derived from others, see `with_lens`.

    Raises:
        SpecError: no input is given, and it cannot be told.
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
        input: Input | None = None,
        labels: Sequence[str] = (),
        name: str | None = None,
        *,
        output: str | None = None,
        task: Task | None = None,
        lenses: Sequence[Lens] = (),
    ) -> None:
        check_state(module)
        if not isinstance(input, Input | None):
            raise InputError(
                f"{input!r:.80} was given as a network's input; give an Input, such as "
                f"{suggested(input)}: channels, then height and width"
            )
        self.module = module
        self.input = guess_input(module) if input is None else input
        self.labels = tuple(labels)
        self.name = name or type(module).__name__
        self.output = output
        self.told_task = task
        self.lenses = tuple(lenses)
        self.loaded: tuple[str, ...] = ()  # what was unusual about the weights' file
        self.spec: Spec | None = None  # how `load_network` makes it
        self._fingerprints = Fingerprints()
        self._patches: dict[str, Patch] = {}
        self._pieces: dict[str, Pieces | None] = {}
        self._between: dict[tuple[str, str], Between | None] = {}
        self._before: dict[str, dict[int, Unit] | None] = {}

    def __repr__(self) -> str:
        return f"Network({self.name}, input {self.input}, {self.parameters:,} parameters)"

    def __reduce__(self) -> tuple[Any, ...]:
        """As it is, after the Python files that it is made of: another process may not have them.

        What is known of it travels along, its turn does not.
        """
        files = files_of(self.module, "" if self.spec is None else self.spec.model)
        return _empty, (type(self), files), vars(self)

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, layer.kind, " x ".join(map(str, layer.shape)), layer.units)
            for layer in self.default_layers
        ]
        return html_table(repr(self), ("layer", "kind", "shape", "units"), rows)

    @property
    def parameters(self) -> int:
        """How many numbers its weights are."""
        return sum(p.numel() for p in self.module.parameters())

    def read_as(self, task: Task) -> "Network":
        """The same module with its output read as something else."""
        return self._again(task, self.lenses)

    def with_lens(self, name: str, of: str, directions: Float[Tensor, "k c"]) -> "Network":
        """The same module with one more layer, `of[name]`: layer `of` along k directions.

        At each place its values are the directions times the c units of `of`, which may be a
        derived layer itself. Units are addressed as `conv2[pca]:3`, and all that is done with a
        layer is done with this one. The fingerprint is another than without.

        Raises:
            UnknownLayerError: no layer `of`, with the nearest.
            SettingError: the directions don't fit the layer, or it has a lens of that name.

        >>> network = Network(nn.Conv2d(1, 4, 3), Input(1, (8, 8))).with_lens(
        ...     "sums", of="output", directions=torch.ones(2, 4)
        ... )
        >>> network.layers["output[sums]"].shape
        (2, 6, 6)
        """
        lens = Lens.along(name, self.layer(of).name, directions)
        lens.layer(self.layers)  # refuses what does not fit
        found = self._again(self.told_task, (*self.lenses, lens))
        vars(found)["_known"] = self._known
        return found

    def _again(self, task: Task | None, lenses: Sequence[Lens]) -> "Network":
        told = (self.module, self.input, self.labels, self.name)
        found = Network(*told, output=self.output, task=task, lenses=lenses)
        found.loaded = self.loaded
        if self.spec is not None:
            found.spec = replace(self.spec, task=task, lenses=tuple(lenses))
        return found

    def record(
        self,
        pictures: Float[Tensor, "b c h w"],
        layers: str | Collection[str] | None = None,
        stop: bool = True,
        *,
        aside: bool = False,
        lowered: Lowered | None = None,
    ) -> Recording:
        """Run on `pictures` and record one layer or several, stopping after the deepest of them.

        Without `layers` it is all of them. The network goes on with what is recorded, so that a
        change to it is felt; put `aside`, records are copies and it goes on with its own values.
        `lowered` makes the pass in fewer bits; what is recorded is float32.

        Raises:
            InputError, ChannelError, SizeError: the pictures do not fit.
            UnknownLayerError: with the nearest names.
        """
        self.input.check_shape(pictures)
        pictures = pictures.to(self.device)
        layers = self.layers if layers is None else listed(layers)
        sites = {name: self.layer(name).site for name in layers}
        recorded = self._passes.values(pictures, sites, stop=stop, aside=aside, lowered=lowered)
        if LOGITS not in recorded:
            return Recording(pictures, recorded)
        if self.classifies:
            recorded[LOGITS] = self.reading.scores(recorded[LOGITS])
        return Recording(pictures, recorded, self.task)

    @torch.no_grad()
    def class_scores(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The logits of each picture; -z/2 and z/2 of a single score z for one of two classes."""
        return self.record(pictures, [LOGITS])[LOGITS]

    def probabilities(self, pictures: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """The class probabilities of each picture; raises `NetworkError` as `reading` does."""
        reading = self.reading
        return reading.probabilities(self.class_scores(pictures))

    @once
    def costs(self) -> dict[str, int]:
        """The multiply-adds of every layer for one picture, with all that runs inside it."""
        picture = torch.zeros(1, *self.input.shape, device=self.device)
        ((part, _),) = self.feed.parts(picture)
        with frozen(self.module), steady(self.module):
            found = multiply_adds(self.module, self.layers, self._passes.inputs(part))
        return {name: cost // len(part) for name, cost in found.items()}

    def weights(self, layer: str) -> Float[Tensor, "units ..."] | None:
        """The weights that make each unit of `layer`, units first; None for layers without."""
        return weights_of(self.module, self.layer(layer))

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and the input record: what an atlas knows its network by.

        It follows the weights, as far as `Fingerprints` sees them change.
        """
        with turn(self.module):
            return self._fingerprints.of(self.module, self.input, *self._told().items())

    def _told(self) -> dict[str, Any]:
        """What was said of the outputs and of lenses; nothing where all was found."""
        lenses = [lens.to_json() for lens in self.lenses] or None
        said = {"output": self.output, "task": self.told_task, "lenses": lenses}
        return {key: value for key, value in said.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """Name, input, labels, size and fingerprint as plain values for JSON."""
        return {
            "name": self.name,
            "input": self.input.to_json(),
            "labels": list(self.labels),
            "parameters": self.parameters,
            "fingerprint": self.fingerprint,
        } | self._told()


def _empty(kind: type[Network], files: Iterable[tuple[str, str]]) -> Network:
    """A network without anything yet, for unpickling."""
    know_again(files)
    return kind.__new__(kind)
