"""What jobs do: a question put to an exhibit, or more layers for its atlas."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from phosphene.atlas import Atlas, job_key
from phosphene.data import fingerprint
from phosphene.errors import SettingError, UnknownLayerError
from phosphene.folders import state_folder
from phosphene.live.asking import Beside, Desired
from phosphene.live.exhibits import Exhibit
from phosphene.network import Network
from phosphene.probes.options import Option
from phosphene.probes.question import Question
from phosphene.progress import follow
from phosphene.study.asking import Kept, keep
from phosphene.study.building import build
from phosphene.study.job import PROBE
from phosphene.study.plan import Study
from phosphene.study.probing import require_of
from phosphene.study.widening import complete, with_layers
from phosphene.words import plural

Page = tuple[Literal["probe", "layer"], str]
"""Which page has the answer: of a probe, or of a layer, by its name."""

LAYERS = "layers"
"""The kind of the work that adds layers to an atlas; all other kinds are questions."""


class Work(ABC):
    """What a job does. It is noted as its kind and options, by which it can be taken up again.

    `key` is the same for the same work; `title` is what people read; `place` is the folder in which
    it may leave files.
    """

    exhibit: Exhibit
    kind: str
    options: Mapping[str, Any]
    key: str
    title: str
    place: Path

    @property
    def remarks(self) -> list[str]:
        """What was said on the way that a person should see."""
        return []

    @abstractmethod
    def there(self) -> Page | None:
        """Where the answer is, if the atlas has it already."""

    @abstractmethod
    def run(self) -> Page | None:
        """Do it, telling how far it is; where the answer is."""


def work_of(
    exhibit: Exhibit, kind: str, options: Mapping[str, Any], others: Mapping[str, Network]
) -> Work:
    """The work of a request.

    Raises:
        AbsentError: the network is not there.
        PhospheneError: it is none, or rests on data that are not there.
    """
    if kind == LAYERS:
        return Widening.of(exhibit, options)
    return Asking.of(exhibit, kind, options, others)


@dataclass(frozen=True, eq=False)
class Asking(Work):
    """A question put to an exhibit, whose answer its atlas keeps."""

    exhibit: Exhibit
    kind: str
    options: Mapping[str, Any]
    key: str
    title: str
    place: Path
    question: Question
    subject: Beside

    @classmethod
    def of(
        cls,
        exhibit: Exhibit,
        kind: str,
        options: Mapping[str, Any],
        others: Mapping[str, Network],
    ) -> "Asking":
        """The work of a question."""
        desired = Desired(exhibit, kind, options)
        place = place_of(exhibit, kind, desired.options)
        question = desired.question(place, place_of(exhibit, "trained", {}))
        subject = Beside(exhibit, others)
        title = question.title(subject)
        if trains(question):  # its key is of networks that are to be trained first
            require_here(exhibit, subject)
            asked = {"asked": kind, "options": desired.options}
            key = job_key(PROBE, asked, subject.seed, subject.network.fingerprint, "")
        else:
            key = key_of(exhibit, question, subject)
        return cls(exhibit, kind, desired.options, key, title, place, question, subject)

    @property
    def remarks(self) -> list[str]:
        """What the question told; of files of ours the name alone."""
        return [said.replace(f"{self.place}/", "") for said in self.subject.said]

    def there(self) -> Page | None:
        """The page of the probe; what trains networks finds out on its way."""
        if trains(self.question):
            return None
        with Atlas.open(self.exhibit.path) as atlas:
            done = atlas.done(self.key)
        if not done or not self.question.complete(self.subject):
            return None
        return "probe", f"{self.question.kind}-{self.key[:8]}"

    def run(self) -> Page | None:
        """Put the question."""
        if any(each.kind == "file" and each.default for each in self.question.options()):
            self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Atlas.build(self.exhibit.path) as atlas:
            found = keep(atlas, self.subject, self.question)
        return ("probe", found.record.name) if isinstance(found, Kept) else None


def trains(question: Question) -> bool:
    """Whether networks are trained for it, which takes minutes, where they are not there yet."""
    return any(each.kind == "data" and getattr(question, each.name) for each in question.options())


def require_here(exhibit: Exhibit, about: Beside) -> None:
    """Raise `AtlasMismatchError` if the atlas is about another network."""
    with Atlas.open(exhibit.path) as atlas:
        require_of(atlas, about.network)


def key_of(exhibit: Exhibit, question: Question, about: Beside) -> str:
    """The key of a question's answer in the atlas, as `keep` has it.

    Raises:
        AtlasMismatchError, SettingError, DataError: it cannot be put to this exhibit.
    """
    require_here(exhibit, about)
    params = {"probe": question.kind, **question.key(about)}
    for each in question.options():
        if each.kind == "image" and str(getattr(question, each.name)).isdecimal():
            _ = about.data  # refused now, not when its turn has come
    data = fingerprint(about.data) if question.rests_on_data(about) else ""
    return job_key(PROBE, params, about.seed, about.network.fingerprint, data)


@dataclass(frozen=True, eq=False)
class Widening(Work):
    """Layers that are added to an atlas, as `phosphene build --layers` does."""

    exhibit: Exhibit
    layers: tuple[str, ...]
    units: tuple[str, ...]
    key: str
    title: str
    place: Path
    kind: str = field(default=LAYERS)

    FIELDS = (
        Option(
            "layers", "Layers that the atlas does not have yet.", "layers", "layers", required=True
        ),
        Option(
            "texts", "Only these units of them, such as conv2:0-9; all if none.", "units", "units"
        ),
    )

    @property
    def options(self) -> Mapping[str, Any]:  # type: ignore[override]
        """The layers, and the units that are shown of them."""
        return {"layers": list(self.layers), "units": list(self.units)}

    @classmethod
    def of(cls, exhibit: Exhibit, options: Mapping[str, Any]) -> "Widening":
        """The work of a request, which names layers of the network, and none by a pattern."""
        known = {each.name: each for each in cls.FIELDS}
        for name in options:
            if name not in known:
                raise SettingError(f"layers: no option {name!r:.80}; there are {', '.join(known)}")
        network = exhibit.here
        given = {name: each.cleaned(options.get(name)) or () for name, each in known.items()}
        layers = tuple(dict.fromkeys(network.layer(text).name for text in given["layers"]))
        units = tuple(dict.fromkeys(given["units"]))
        if any(text.rpartition(":")[0] not in layers for text in units):
            raise UnknownLayerError(
                f"units {', '.join(units):.200} are not all of {', '.join(layers):.200}; write "
                f"{layers[0]}:0-9"
            )
        asked = {"layers": sorted(layers), "units": sorted(units)}
        key = job_key(LAYERS, asked, None, network.fingerprint, "")
        title = f"{plural(len(layers), 'more layer')}: {', '.join(layers)}"
        found = cls(exhibit, layers, units, key, title, place_of(exhibit, LAYERS, asked))
        with Atlas.open(exhibit.path) as atlas:
            found.study(atlas)  # refused now, not when its turn has come
        return found

    def study(self, atlas: Atlas) -> Study:
        """The study that the atlas is built by."""
        network = self.exhibit.apart
        require_of(atlas, network)
        return with_layers(atlas, network, self.exhibit.subject.data, self.layers, self.units)

    def there(self) -> Page | None:
        """The page of the first of them."""
        with Atlas.open(self.exhibit.path) as atlas:
            return self._page() if complete(atlas, self.study(atlas)) else None

    def run(self) -> Page | None:
        """Build them into the atlas; what ended is kept, also where the rest is cancelled."""
        with Atlas.open(self.exhibit.path) as atlas:
            study = self.study(atlas)
        try:
            follow(build(study, self.exhibit.path))
        finally:
            self.exhibit.look_again()
        return self._page()

    def _page(self) -> Page:
        return "layer", self.layers[0]


def place_of(exhibit: Exhibit, kind: str, options: Mapping[str, Any]) -> Path:
    """The folder in which what is asked of an exhibit may leave files."""
    asked = [str(exhibit.path.resolve()), kind, options]
    told = json.dumps(asked, sort_keys=True, default=str).encode()
    name = hashlib.blake2b(told, digest_size=16).hexdigest()
    return state_folder() / "jobs" / "made" / name
