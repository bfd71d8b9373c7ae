"""A question is a value: its fields are its options, and all that is told of them comes from it.

A probe declares one dataclass, a `Question`. From it come the command `phosphene probe NAME`, the
key under which an atlas keeps the answer, its form on a page, its JSON, and its line in the docs.

The forms of all questions are kept beside this module in `forms.json`, so that help can be told
without reading the probes, which takes PyTorch; `make forms` writes it anew, and a test holds it.
"""

import importlib
import inspect
import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from phosphene.errors import SettingError, nearest
from phosphene.probes.options import Option, plain
from phosphene.results import Result

CHANGE, MOVE, HIDE, MADE, UNITS, MISTAKES, DRAW, TRAIN = PANELS = (
    "Change pictures until the answer changes",
    "Move and draw",
    "Hidden messages",
    "What it is made of, and what it is a part of",
    "What units and weights are for",
    "Mistakes",
    "Draw",
    "Train and compare",
)
"""What questions are about, in the order in which they are listed."""


@dataclass(frozen=True)
class Question(ABC):
    """A question to a network, with its options as fields, each made by `option`.

    `name` is what it is called on the command line and, unless `kind` says otherwise, in an atlas;
    the first line of the docstring says what it does. A `Subject` is what it is put to: a network,
    its data, and the words a person uses for their parts.
    """

    name: ClassVar[str]
    panel: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if (name := cls.__dict__.get("name")) is None:
            return
        known = _KNOWN.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            raise TypeError(f"two questions are called {name!r}: {known.__name__}, {cls.__name__}")
        _KNOWN[name] = cls

    def __post_init__(self) -> None:
        """Bring what was given into the form of its option; `SettingError` where it is none."""
        for each in self.options():
            object.__setattr__(self, each.name, each.cleaned(getattr(self, each.name)))

    @classmethod
    def of(cls, **values: Any) -> "Question":
        """The question with these options, in any form that an option takes.

        Raises:
            SettingError: there is no such option, one is missing, or a value is none of its kind.
        """
        known = {each.name: each for each in cls.options()}
        for given in values:
            if given not in known:
                raise SettingError(
                    f"probe {cls.name}: no option {given!r}; {nearest(given, known)}"
                )
        missing = {name: None for name, each in known.items() if each.required}
        found = {name: known[name].cleaned(value) for name, value in (missing | values).items()}
        return cls(**found)

    @abstractmethod
    def title(self, subject: Any) -> str:
        """What the answer's page is called."""

    @abstractmethod
    def ask(self, subject: Any) -> Result:
        """The answer."""

    @property
    def kind(self) -> str:
        """What the answer is called in an atlas."""
        return self.name

    def key(self, subject: Any) -> dict[str, Any]:
        """What the answer depends on besides network, data and seed, as the atlas keeps it."""
        return {
            each.key or each.name: subject.resolved(each.kind, getattr(self, each.name))
            if getattr(self, each.name) not in each.choices
            else getattr(self, each.name)
            for each in self.options()
            if each.key is not None
            and not (each.unsaid and getattr(self, each.name) == each.default)
        }

    def rests_on_data(self, subject: Any) -> bool:
        """Whether the answer depends on the data: it is about a part of them, or a picture."""
        return any(
            each.kind == "slice"
            or (each.kind == "image" and str(getattr(self, each.name)).isdecimal())
            for each in self.options()
        )

    def complete(self, subject: Any) -> bool:
        """Whether all that asking leaves behind is there, for a question that writes files."""
        return True

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """The options in their order."""
        return tuple(
            replace(
                each.metadata["option"],
                name=each.name,
                flag=each.metadata["option"].flag or f"--{each.name.replace('_', '-')}",
                default=None if each.default is MISSING else each.default,
                required=each.default is MISSING,
            )
            for each in fields(cls)
        )

    @classmethod
    def line(cls) -> str:
        """What it does, in one sentence."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def form(cls) -> dict[str, Any]:
        """The form of a page, as plain values for JSON: its fields with kind, default, limits."""
        asked = [each.to_json() for each in cls.options()]
        about = inspect.getdoc(cls) or ""
        told = {"name": cls.name, "panel": cls.panel, "help": cls.line(), "about": about}
        return {**told, "fields": asked}

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {each.name: plain(getattr(self, each.name)) for each in self.options()}
        return {"probe": self.name, **values}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Question":
        """The inverse of `to_json`; raises `SettingError` for what is no question."""
        return named(str(value.get("probe")), **{k: v for k, v in value.items() if k != "probe"})


_KNOWN: dict[str, type[Question]] = {}


def questions() -> dict[str, type[Question]]:
    """All questions there are by their names, panel by panel."""
    import phosphene.probes as package  # noqa: PLC0415 - it may be this module's importer

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    order = [*PANELS, *(known.panel for known in _KNOWN.values() if known.panel not in PANELS)]
    return dict(sorted(_KNOWN.items(), key=lambda item: (order.index(item[1].panel), item[0])))


KEPT = Path(__file__).with_name("forms.json")


def forms() -> dict[str, dict[str, Any]]:
    """The form of each question by its name: as kept, and of those declared since elsewhere."""
    kept = {form["name"]: form for form in json.loads(KEPT.read_text(encoding="utf-8"))}
    return kept | {name: known.form() for name, known in _KNOWN.items() if name not in kept}


def forms_text() -> str:
    """What `forms.json` should hold."""
    told = [known.form() for known in questions().values()]
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def named(name: str, **options: Any) -> Question:
    """The question called `name` with these options; raises `SettingError` with the nearest."""
    known = questions()
    if name not in known:
        raise SettingError(f"no probe {name!r}; {nearest(name, known, listing=True)}")
    return known[name].of(**options)


def table() -> str:
    """All questions as a table in Markdown, a line for each."""
    lines = [f"| `{name}` | {known.line()} |" for name, known in questions().items()]
    return "\n".join(["| `phosphene probe` | |", "|---|---|", *lines])
