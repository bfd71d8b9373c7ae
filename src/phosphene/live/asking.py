"""Questions as a page may put them: forms that name no file, and what the page is told."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phosphene.errors import SettingError, nearest
from phosphene.live.exhibits import Exhibit
from phosphene.live.sent import MOST_TEXT as MOST_LINK
from phosphene.live.uploads import keep_picture, kept_picture
from phosphene.network import Network
from phosphene.probes.options import Option
from phosphene.probes.question import Question, forms, named
from phosphene.probes.subject import Subject
from phosphene.study.finding import found_data
from phosphene.study.source import Source

OPEN = frozenset(
    {"choice", "class", "classes", "count", "data", "files", "image", "layer", "layers", "number",
     "slice", "switch", "text", "texts", "unit", "units"}
)  # fmt: skip
"""Kinds of options that may be asked; none of them is taken for a file of this machine: `files` are
networks that are shown here, `data` are built in or the atlas's own, an `image` is a number or a
picture that was sent. A kind that is not among them is closed."""

WRITTEN = frozenset({"file", "folder"})
"""Kinds for which the server has places of its own, where an answer would leave something."""

BUILT_IN = "digits"
OWN = "its own"
"""What a question may train on: the digits that come along, or the data of the atlas."""

MOST = 100_000
"""The largest count that is taken."""

MOST_TEXT = 1000
"""Characters of one value."""

_NUMBER = re.compile(r"[0-9]{1,9}")


def refused(form: Mapping[str, Any]) -> str:
    """Why a question is not put from here: it reads files; empty where it is."""
    for field in form["fields"]:
        ours = field["kind"] in WRITTEN and field["default"]
        if field["kind"] not in OPEN and not ours and (field["required"] or field["default"]):
            return f"It reads files: put it with phosphene probe {form['name']}"
    return ""


def shown_field(field: Mapping[str, Any]) -> bool:
    """Whether the page asks for an option: the server has the places, and a file is a drawing."""
    return field["kind"] in OPEN or _is_drawing(field["kind"], field["default"])


def _is_drawing(kind: str, default: object) -> bool:
    return kind == "file" and default is None


class Desired:
    """A question of a request: its options as they are noted, and as the question takes them.

    Raises:
        SettingError: no such question or option, or a value that is none of its kind, or a file.
        UnreadableImageError: a picture that is none.
    """

    def __init__(self, exhibit: Exhibit, kind: str, options: Mapping[str, Any]) -> None:
        known = forms()
        if kind not in known:
            raise SettingError(f"no probe {kind!r:.80}; {nearest(kind, known, listing=True)}")
        if told := refused(known[kind]):
            raise SettingError(told)
        self.exhibit, self.kind = exhibit, kind
        self.fields = {f["name"]: Option.from_json(f) for f in known[kind]["fields"]}
        self.options: dict[str, Any] = {}
        self._taken: dict[str, Any] = {}
        for name, value in options.items():
            self._take(str(name), value)

    def question(self, place: Path, trained: Path) -> Question:
        """The question itself; files that it writes are in `place`, networks in `trained`."""
        written = {
            name: str((trained if field.kind == "folder" else place) / str(field.default))
            for name, field in self.fields.items()
            if field.kind in WRITTEN and field.default
        }
        return named(self.kind, **(written | self._taken))

    def _take(self, name: str, value: Any) -> None:
        option = self.fields.get(name)
        if option is None or value is None or value in ("", []):
            self.options[name] = self._taken[name] = value
            return
        picture = option.kind == "image" or _is_drawing(option.kind, option.default)
        if picture and isinstance(value, str) and value.startswith("data:"):
            value = keep_picture(self.exhibit.here, value[: MOST_LINK + 1])
        self.options[name] = value
        if picture and isinstance(value, str) and (path := kept_picture(value)):
            self._taken[name] = str(path)
            return
        _require_no_file(option, value)
        self._taken[name] = _own_data(self.exhibit, value) if option.kind == "data" else value


def _require_no_file(option: Option, value: Any) -> None:
    several = value if isinstance(value, list) else [value]
    if any(isinstance(one, list | dict) or len(str(one)) > MOST_TEXT for one in several):
        raise SettingError(
            f"{option.name}: expected text of at most {MOST_TEXT} characters, or lists"
        )
    if option.kind not in OPEN:
        raise SettingError(f"{option.name}: files are named on the command line alone")
    if option.kind == "image" and not (
        isinstance(value, int | str)
        and (str(value) in option.choices or _NUMBER.fullmatch(str(value)))
    ):
        known = ", or ".join(
            ["the number of a picture in the data, a picture as a data: link", *option.choices]
        )
        raise SettingError(f"{option.name}: {str(value)!r:.80} is no picture here; give {known}")
    if option.kind == "data" and value not in (BUILT_IN, OWN):
        raise SettingError(
            f"{option.name}: {str(value)!r:.80} are no data here; give {BUILT_IN!r}, or {OWN!r}: "
            "other data are named on the command line alone"
        )
    if option.kind in ("count", "number") and isinstance(value, int | float) and value > MOST:
        raise SettingError(f"{option.name}: {value} is more than {MOST:,}")


def _own_data(exhibit: Exhibit, value: str) -> str:
    """What data are called where questions are put."""
    if value == BUILT_IN:
        return BUILT_IN
    subject = exhibit.subject
    if not isinstance(subject, Source) or not subject.has_data:
        raise SettingError(f"the atlas does not say where its data are; give {BUILT_IN!r}")
    _ = subject.data  # it may be that nobody lets the code run that makes them
    return found_data(subject.source["data"], subject.atlas, subject.source)


class Beside(Subject):
    """What questions are put to: a copy of an exhibit's network, with its data.

    Other networks are known by the names of their atlases. What is told on the way is `said`.
    """

    def __init__(self, exhibit: Exhibit, others: Mapping[str, Network]) -> None:
        self.inner, self.others = exhibit.subject, others
        self.seed, self.copy = self.inner.seed, exhibit.apart
        self.said: list[str] = []
        self.tell = self.said.append

    @property
    def network(self) -> Network:
        """That of the atlas, for itself."""
        return self.copy

    @property
    def data(self) -> Any:
        """Those of the atlas."""
        return self.inner.data

    @property
    def has_data(self) -> bool:
        """Whether there are any."""
        return self.inner.has_data

    @property
    def resize(self) -> Any:
        """As for the atlas."""
        return self.inner.resize

    @property
    def spectrum(self) -> Any:
        """That of the data, measured once for all."""
        return self.inner.spectrum

    def once(self, name: str, make: Any) -> Any:
        """Made once for all who ask."""
        return self.inner.once(name, make)

    def sibling(self, weights: Path) -> Network:
        """None: weights are files."""
        return self.named(str(weights))

    def named(self, weights: str) -> Network:
        """The network of another atlas that is shown; raises `SettingError` with the nearest."""
        if weights not in self.others:
            told = nearest(weights, self.others, listing=True) if self.others else "there are none"
            raise SettingError(f"no other network {weights!r:.80} is shown here; {told}")
        return self.others[weights]


def others_of(exhibit: Exhibit, exhibits: Iterable[Exhibit]) -> dict[str, Network]:
    """The networks of the other atlases that are shown, by their atlases' names."""
    return {
        each.name: each.network
        for each in exhibits
        if each is not exhibit and each.network is not None
    }


def asking_context(exhibit: Exhibit, exhibits: Iterable[Exhibit] = ()) -> dict[str, Any]:
    """Every question, panel by panel, with the fields of its form that may be filled in."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for form in forms().values():
        fields = [field for field in form["fields"] if shown_field(field)]
        told = {**form, "fields": fields, "refused": refused(form)}
        panels.setdefault(form["panel"], []).append(told)
    network = exhibit.network
    return {
        "exhibit": exhibit,
        "panels": panels,
        "most": MOST,
        "others": list(others_of(exhibit, exhibits)),
        "training": (OWN, BUILT_IN),
        "layers": [] if network is None else [each.name for each in network.layers.values()],
        "absent": exhibit.absent_layers,
        "classes": list(network.classes) if network is not None and network.classifies else [],
    }
