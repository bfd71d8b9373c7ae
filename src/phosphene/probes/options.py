"""The options of a question: what each stands for, its limits, and how it is typed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from phosphene.errors import SettingError, nearest
from phosphene.precisions import PRECISIONS
from phosphene.words import literal, printable

Kind = Literal[
    "choice", "class", "classes", "count", "data", "file", "files", "folder", "image", "layer",
    "layers", "number", "slice", "switch", "text", "texts", "unit", "units",
]  # fmt: skip
"""What an option stands for, and so how it is typed, shown on a page and found in a network."""

MANY = ("files", "layers", "texts")
"""Kinds of which there may be several; all others are one text, number or switch."""


@dataclass(frozen=True)
class Option:
    """What is to be known of one option besides its type: the rest is the dataclass's own.

    `argument` says that the command takes it without a flag, `key` what the atlas calls it (None:
    the answer does not depend on it; `unsaid`: nothing is said of the default, as of what came
    later), `least` and `above` are limits, `choices` all there are, or
    for an image those that are no file.
    """

    kind: Kind
    help: str
    name: str = ""
    flag: str = ""
    argument: bool = False
    least: float | None = None
    choices: tuple[str, ...] = ()
    unknown: str = "no {name} {value!r}"
    key: str | None = ""
    unsaid: bool = False
    default: Any = None
    required: bool = False

    @property
    def many(self) -> bool:
        """Whether there may be several values."""
        return self.kind in MANY

    def cleaned(self, value: Any) -> Any:
        """`value` as a question keeps it, a plain text or number; `SettingError` where it is none.

        Units, paths and numbers of classes become texts, and lists of them one text with commas.
        """
        if value is None or (self.many and not value):
            if self.required:
                raise SettingError(f"{self.flag} is missing: {self.help[0].lower()}{self.help[1:]}")
            return self.default
        if self.kind == "switch":
            return bool(value)
        if self.kind in ("count", "number"):
            return self._number(value)
        if self.many:
            several = (
                (value,) if isinstance(value, str) or not isinstance(value, Sequence) else value
            )
            return tuple(map(str, several))
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        text = ",".join(map(str, value)) if listed else str(value)
        if self.kind == "choice" and text not in self.choices:
            told = self.unknown.format(name=self.name, value=text)
            raise SettingError(f"{told}; {nearest(text, self.choices)}")
        return text

    def _number(self, value: Any) -> int | float:
        whole = self.kind == "count"
        if not isinstance(value, int | float) or (whole and value != int(value)):
            raise SettingError(f"{self.flag} {printable(value)!r} is no {'whole ' * whole}number")
        if not math.isfinite(value) or (self.least is not None and value < self.least):
            raise SettingError(
                f"{self.flag} {literal(value)}: expected at least {literal(self.least or 0)}"
            )
        return int(value) if whole else float(value)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: a field of a form."""
        kept = (
            "name", "kind", "help", "flag", "argument", "default", "required", "many", "least",
            "choices",
        )  # fmt: skip
        return {name: plain(getattr(self, name)) for name in kept}

    @classmethod
    def from_json(cls, field: Mapping[str, Any]) -> "Option":
        """What a form tells of an option."""
        known = {name: value for name, value in field.items() if name != "many"}
        return cls(**{name: frozen(value) for name, value in known.items()})


def option(kind: Kind, help: str, default: Any = MISSING, **how: Any) -> Any:
    """A field of a question: see `Option`; without a default it has to be given."""
    return field(default=default, metadata={"option": Option(kind, help, **how)})


def steps(default: int | None, help: str = "How many steps.", **how: Any) -> Any:
    """The option `--steps`."""
    return option("count", help, default, least=1, **how)


def precision() -> Any:
    """The option `--precision`, of questions that draw by a recipe."""
    help = f"What the network is computed in on the way: {' or '.join(PRECISIONS)}."
    return option("choice", help, PRECISIONS[0], choices=PRECISIONS, unsaid=True)


def image(default: Any = MISSING, help: str = "", **how: Any) -> Any:
    """The option `--image`."""
    help = help or "A picture: its number in the data, or an image file."
    return option("image", help, default, **how)


def part() -> Any:
    """The option `--slice`, which says of which part of the data the question is."""
    help = "Part of the data, from:to such as 0:1000."
    return option("slice", help, None, flag="--slice")


def towards(help: str) -> Any:
    """The option `--to`, classes that pictures are led to."""
    return option("classes", help, None, flag="--to", key="targets")


def unit(**how: Any) -> Any:
    """A unit as an argument."""
    help = "layer:number such as conv2:17, or a class's name."
    return option("unit", help, argument=True, **how)


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def frozen(value: Any) -> Any:
    """The inverse of `plain`."""
    return tuple(value) if isinstance(value, list) else value


def of_part(text: str | None) -> str:
    """How a title tells of which part of the data a question is."""
    return "" if text is None else f", pictures {text}"


def of_picture(image: str) -> str:
    """How a title tells of a picture: its number in the data, or its file.

    >>> of_picture("3"), of_picture("photos/cat.png")
    ('picture 3', 'cat.png')
    """
    return f"picture {image}" if image.isdecimal() else PurePath(image).name


def layer(argument: bool = False) -> Any:
    """The option `--layer`, which a question that is about one layer takes as an argument too."""
    return option("layer", "Which layer.", argument=argument)


def layers(default: Any = MISSING) -> Any:
    """The option `--layers`."""
    help = "Which layers." if default is MISSING else "Only these layers."
    return option("layers", help, default)
