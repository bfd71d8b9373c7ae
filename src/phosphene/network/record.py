"""The `Network` record: any `nn.Module` with what is needed to show it pictures."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import NetworkError, UnknownLayerError, UnknownUnitError, nearest
from phosphene.network.discovery.cost import multiply_adds
from phosphene.network.discovery.failures import why_no_layer
from phosphene.network.discovery.guess import guess_input
from phosphene.network.discovery.layers import Layer
from phosphene.network.discovery.logits import Reading, Unread
from phosphene.network.edges import feeds_of, weights_of
from phosphene.network.edit import replace as replaced
from phosphene.network.feed import ANY, Feed
from phosphene.network.fields.between import Between, between_for
from phosphene.network.fields.pieces import Pieces, pieces_for
from phosphene.network.fields.receptive import ReceptiveField, receptive_fields
from phosphene.network.fields.rows import below, first_linear
from phosphene.network.fields.windows import SMALLEST_WINDOW, Patch, smallest_patch, window_for
from phosphene.network.freezing import frozen, steady
from phosphene.network.inputs import Input
from phosphene.network.lenses import Lens, with_derived
from phosphene.network.loading.files import files_of, know_again
from phosphene.network.loading.spec import Spec
from phosphene.network.look import Known, look_at, place_of
from phosphene.network.recorded import Recording
from phosphene.network.recording import Passes
from phosphene.network.rectified import before_rectifier
from phosphene.network.state import Fingerprints, check_state
from phosphene.network.turns import once, turn
from phosphene.results import html_table
from phosphene.tasks import Task
from phosphene.units import LOGITS, Unit
from phosphene.words import class_name


class Network:
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

    @property
    def undecided(self) -> bool:
        """Whether its only output is one score that may tell two classes apart, or be a measure."""
        reading = self._known.reading
        return isinstance(reading, Unread) and reading.layer is not None

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
            SpecError: the directions don't fit the layer, or it has a lens of that name.

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
            hint = why_no_layer(
                name, self.module, self.layers, found.left_out, self._passes.run_once
            )
            raise UnknownLayerError(f"{self.name} has no layer {name!r}; {hint}")
        return self.layers[name]

    def unit(self, named: object) -> Unit:
        """The unit that is meant by a `Unit`, a text such as `conv2:17`, or the name of a class.

        `<logits>:3` is unit 3 of whichever layer has the classes: one unit has one name.

        Raises:
            UnknownLayerError, UnknownUnitError: there is none, with the nearest names.
        """
        if isinstance(named, str) and ":" not in named and self.classifies:
            return self._class_unit(named)
        unit = Unit.of(named)
        layer = self.layer(unit.layer)
        layer.check(unit)
        return replace(unit, layer=layer.name)

    def called(self, unit: Unit) -> str:
        """What people call a unit: its class if it is one, else its address."""
        if self.classifies and self.layer(unit.layer).name == self.logits.name:
            return f"class {class_name(self.classes, unit.index)}"
        return str(unit)

    def _class_unit(self, name: str) -> Unit:
        if name not in self.classes:
            raise UnknownUnitError(
                f"{name!r} is neither a unit, written layer:number, nor a class of {self.name}; "
                f"{nearest(name, (*self.classes, *self.layers))}"
            )
        return Unit(self.logits.name, self.classes.index(name))

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
        recorded = self._passes.values(pictures, sites, stop=stop)
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
            found = multiply_adds(self.module, self.layers, self._passes.inputs(part))
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
            passes = self._passes
            takes, answers = partial(passes.reach, found), partial(passes.at, found)
            self._pieces[found.name] = (
                pieces_for(self.fields[found.name], self.input.shape, takes, answers)
                if found.spatial
                else None
            )
        return self._pieces[found.name]

    def onward(
        self,
        layer: str,
        values: Float[Tensor, "n ..."],
        layers: Collection[str],
        size: tuple[int, int] | None = None,
    ) -> Recording:
        """What `layers` answer where `layer` has these values, n variants of them.

        The pass begins with one black picture of `size`, or of the network's own, so that the rest
        comes from the values alone; where a connection leads around the layer, it does not fit.
        """
        black = torch.zeros(1, self.input.channels, *(size or self.input.size)).to(self.device)
        sites = {name: self.layer(name).site for name in layers}
        with replaced(self.module, self.layer(layer), lambda _: values):
            return Recording(black, self._passes.values(black, sites, rows=len(values)))

    @torch.no_grad()
    def between(self, source: str, target: str) -> Between | None:
        """What places of layer `target` see of the map of `source`; None where they take it whole.

        That is so if they see about all of it, if a connection leads around the source, and if
        trial shows that they answer to their windows in another way.
        """
        ends = self.layer(source), self.layer(target)
        key = (ends[0].name, ends[1].name)
        if key not in self._between:
            cuts = all(end.spatial for end in ends) and self.feed == ANY
            self._between[key] = self._windows(*key) if cuts else None
        return self._between[key]

    def _windows(self, source: str, target: str) -> Between | None:
        noise = self._noise(2)
        found = self.record(noise, [source, target])

        def onward(values: Tensor, size: tuple[int, int]) -> Tensor:
            return self.onward(source, values, [target], size)[target]

        height, width = self.input.size
        sizes = [(-(-height // part), -(-width // part)) for part in (16, 8, 4, 2, 1)]
        taken = [size for size in sizes if self.takes(size, target)]
        between = between_for(onward, taken, found[source], found[target])
        if between is None:
            return None
        return replace(between, linear=self._linear(source, target, between, found[source][:1]))

    def _linear(
        self, source: str, target: str, between: Between, values: Float[Tensor, "1 c h w"]
    ) -> str | None:
        pieces, layers = between.pieces, list(below(target, source, self.feeds))
        row, column = len(pieces.rows) // 2, len(pieces.columns) // 2
        y, x = pieces.rows[row][1], pieces.columns[column][1]

        def leads(layer: str, some: Tensor) -> Tensor:
            return self.onward(layer, some, [target], between.size)[target][:, :, y, x].sum(1)

        window = values[:, :, *pieces.box(row, column)]
        rest = [name for name in layers if name != source]
        ways = self.onward(source, window, rest, between.size) if rest else {}
        return first_linear(leads, layers, {source: window, **ways})

    def before_rectifier(self, unit: Unit) -> Unit | None:
        """The unit whose rectified value `unit` is, bit by bit in a trial; itself if it is none.

        None where its layer answers nothing below zero and no such unit is found: a rectifier, or
        what else has no negative values, whose inside is no layer.
        """
        layer = self.layer(unit.layer)
        if layer.name not in self._before:
            noise, ends = self._noise(2), torch.tensor([0.0, 1.0])  # with black and white
            shown = torch.cat([noise, ends.view(2, 1, 1, 1).expand_as(noise)])
            with torch.no_grad():
                self._before[layer.name] = before_rectifier(
                    layer, self.layers, self.feeds, lambda names: self.record(shown, names)
                )
        found = self._before[layer.name]
        if found is None:
            return unit
        inside = found.get(unit.index)
        return None if inside is None else replace(unit, layer=inside.layer, index=inside.index)

    def _noise(self, count: int) -> Float[Tensor, "b c h w"]:
        return torch.rand(count, *self.input.shape, generator=torch.Generator().manual_seed(0))

    def window(self, layer: str) -> tuple[int, int]:
        """The size of picture, (h, w), on which to draw a channel of `layer`.

        Three receptive fields wide, so that what a channel looks for is seen a few times and not
        as a carpet of dots, but not below 64 pixels and not beyond the network's own input. It is
        that input where the layer has no positions or takes no other size.
        """
        found, own = self.layer(layer), self.input.size
        if not found.spatial or max(own) <= SMALLEST_WINDOW:
            return own
        wanted = window_for(own, self.fields[found.name])
        return wanted if self._passes.reach(found, wanted) else own

    def takes(self, size: tuple[int, int], layer: str) -> bool:
        """Whether pictures of `size` (h, w) reach `layer` and give it values for all its units."""
        return self._passes.reach(self.layer(layer), size)

    @property
    def feeds(self) -> dict[str, tuple[str, ...]]:
        """For each layer the names of those whose values flow into it with no other between them.

        Of a module that holds others, its last one feeds it, and it feeds what comes after.
        """
        return feeds_of(self.layers, self._known.trial.found.sources)

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
