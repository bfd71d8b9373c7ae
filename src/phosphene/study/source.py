"""A network and its data again: from an atlas that says how they are made, or from their names.

What an atlas names is code, run only with consent; what a person named themselves is their word.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from phosphene.atlas import Atlas
from phosphene.data import Resize, load_data, resize_of
from phosphene.errors import SettingError, SpecError, TruncatedAtlasError
from phosphene.network import Input, Lens, Network
from phosphene.network.loading.catalogue import DEFAULT
from phosphene.probes.subject import Subject
from phosphene.study import consent
from phosphene.study.finding import found_data, found_model, places
from phosphene.study.vocabulary import agree
from phosphene.tasks import Task
from phosphene.zoo import ARTICLES
from phosphene.zoo.specs import is_weights, load_model, require_weights, trained, untrained

Make = Callable[[str, torch.device, Mapping[str, Any] | None, str | Path | None], Network]
"""Makes a network from its name, an atlas's record of it (or None), and its weights."""

Permit = Callable[[str, Path | None], None]
"""Returns if what a text names, which stands in that atlas, may run; else raises."""


def remade(
    model: str,
    device: torch.device,
    known: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
    *,
    input: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    output: str | None = None,
    task: Task | None = None,
) -> Network:
    """Make a network; what is not said of it is taken from `known`, an atlas's record of it.

    Raises:
        SpecError, WeightsError: there is none, or its weights do not fit; see `load_network`.
    """
    said = {} if known is None else {key: known.get(key) for key in ("output", "task")}
    told: dict[str, Any] = {}
    if known is not None:
        sides = {"height", "width"}
        told = asdict(Input.from_json({k: v for k, v in known["input"].items() if k not in sides}))
        labels = labels or tuple(known["labels"])
    told |= input or {}
    network = load_model(
        model,
        weights,
        told,
        labels,
        device,
        output=output or said.get("output"),
        task=task or said.get("task"),
    )
    if known is not None:
        network.name = known["name"]
        for lens in map(Lens.from_json, known.get("lenses", ())):
            if lens not in network.lenses:  # a factory may have its own
                network = network.with_lens(lens.name, lens.of, lens.matrix)
    return network


def _refused(spec: str, atlas: Path | None) -> None:
    consent.permit(spec, atlas, trust=False)


def _warned(text: str) -> None:
    warnings.warn(text, stacklevel=3)


@dataclass
class Source(Subject):
    """A network and its data by their names, found and made when they are first asked for.

    `source` says how: `model`, `weights`, `data`, `resize`. `given` are the parts of it that the
    person named; for the rest, which `atlas` names, `permit` is asked first. `known` are the
    atlas's documents.
    """

    target: str
    source: Mapping[str, str]
    atlas: Path | None
    known: Mapping[str, Any]
    device: torch.device
    seed: int = 0
    given: frozenset[str] = frozenset()
    make: Make = remade
    permit: Permit = _refused
    tell: Callable[[str], None] = _warned
    warn: Callable[[str], None] = _warned

    @cached_property
    def network(self) -> Network:
        """The network itself."""
        return self.sibling(self.source.get("weights"))

    def sibling(self, weights: str | Path | None) -> Network:
        """A network made as this one is, with other weights."""
        if "model" not in self.source:
            raise SpecError(
                f"{self.target} does not say how its network is made; give --model file.py:factory "
                "and --weights FILE"
            )
        path = None if weights is None else self._found(weights)
        described = self.known.get("network")
        model = found_model(self.source["model"], self.atlas, self.source)
        self._permit("model", model)
        network = self.make(model, self.device, described, path)
        if described is None:
            if told := untrained(model, network, path):
                self.warn(told)
            for remark in network.remarks:
                self.tell(f"{remark}.")
        return network

    @property
    def has_data(self) -> bool:
        """Whether there are any data."""
        return "data" in self.source

    @cached_property
    def data(self) -> Dataset[Any]:
        """The pictures asked about."""
        data, vocabulary = agree(self.network, self._loaded(self.network.input, self.resize))
        if vocabulary.words and "network" not in self.known:  # else told when it was built
            self.tell(f"{vocabulary.words}.")
        return data

    def data_for(self, other: Network, resize: Resize | None = None) -> Dataset[Any]:
        """The same pictures in the same order as another network takes them; labels are theirs."""
        return self._loaded(other.input, resize, fits=False)

    def _loaded(self, input: Input, resize: Resize | None, *, fits: bool = True) -> Dataset[Any]:
        """The data for an input; unless it `fits` them, `resize` is for image files alone."""
        if not self.has_data:
            raise SettingError(
                "this probe needs pictures; give --data digits, mnist:FOLDER, a folder"
            )
        recorded = self.known.get("source", {}).get("data") == self.source["data"]
        named = found_data(self.source["data"], self.atlas if recorded else None, self.source)
        self._permit("data", named)
        if not (fits or Path(named).is_dir()):
            resize = None
        return load_data(named, input.channels, input.size, resize=resize)

    @property
    def resize(self) -> Resize | None:
        """How image files come to the input's size, as was said now or for the atlas."""
        return resize_of(self.source.get("resize"))

    def _permit(self, part: str, spec: str) -> None:
        """Let what makes a part of it run, if the person named it or says so."""
        if part not in self.given:
            self.permit(spec, self.atlas or Path(self.target))

    def _found(self, weights: str | Path) -> str | Path:
        """The weights where they are, or beside the atlas, which may have been moved with them."""
        recorded = self.known.get("source", {}).get("weights")
        if str(weights) == DEFAULT or self.atlas is None or str(weights) != recorded:
            return DEFAULT if str(weights) == DEFAULT else require_weights(Path(weights))
        for place in places(recorded, self.atlas, self.source):
            if place.exists():
                return place
        raise SpecError(
            f"{self.atlas} holds no weights, and those it was built with are neither beside it nor "
            f"at {weights}; give --weights FILE"
        )


def find_source(
    target: str,
    *,
    model: str | None = None,
    data: str | None = None,
    source: Mapping[str, str] | None = None,
    device: torch.device | str = "cpu",
    **how: Any,
) -> Source:
    """The source that `target` is, an atlas's path or a network's name; nothing is made yet.

    `model` and `data` stand in for what the atlas says, and so does `source`, which may hold
    `weights` and `resize`. `how` are further fields of a `Source`.

    Raises:
        SpecError: there is no such atlas or network.
        TruncatedAtlasError: the atlas says nonsense of how its network is made.
    """
    is_model = ":" in target or target.endswith(".py") or target in ARTICLES or is_weights(target)
    atlas = Path(target) if Path(target).is_file() and not is_model else None
    if atlas is None and not is_model:
        raise SpecError(
            f"there is no atlas {target}; give one, a model as file.py:factory, weights made by "
            f"`phosphene train`, or one of {', '.join(ARTICLES)}"
        )
    known: dict[str, Any] = {}
    found: dict[str, str] = {} if atlas else {"model": target}
    if atlas is not None:
        with Atlas.open(atlas) as opened:
            asked = {name: opened.document(name, None) for name in ("network", "source")}
        known = {name: value for name, value in asked.items() if value is not None}
        found |= _texts(atlas, known.get("source", {}))
    learnt = trained(target)
    if learnt is not None and learnt.data is not None:
        found["data"] = learnt.data
    said = {name: value for name, value in (("model", model), ("data", data)) if value is not None}
    given = frozenset(said if atlas else {"model", *said})
    found |= said | dict(source or {})
    return Source(target, found, atlas, known, torch.device(device), given=given, **how)


def _texts(atlas: Path, source: object) -> dict[str, str]:
    """How an atlas says its network is made; raises `TruncatedAtlasError` if it says nonsense."""
    if not isinstance(source, dict) or not all(isinstance(text, str) for text in source.values()):
        raise TruncatedAtlasError(
            f"{atlas}: its document source is not what a study writes ({source!r:.80}); "
            "`phosphene check` tells what is damaged"
        )
    return source
