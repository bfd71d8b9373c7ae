"""Which class is meant by a name: as it is listed, written otherwise, or one of several names."""

import re
from collections.abc import Collection, Sequence
from operator import index

from phosphene.errors import UnknownUnitError, nearest

_SYNSET = re.compile(r"^(n\d{8})[\s_\-:,]*(.*)$", re.IGNORECASE)


def numbers_of(name: str, labels: Sequence[str]) -> tuple[int, ...]:
    """The numbers of all classes that are called `name`.

    A label that is just that goes before all others. Else it is any of a label's names or its
    synset's number, in any case, with spaces, underscores or hyphens.

    >>> labels = ["tench, Tinca tinca", "crane", "tower crane, crane", "n02124075 Egyptian cat"]
    >>> [numbers_of(name, labels) for name in ("Tinca_tinca", "crane", "egyptian-cat", "dog")]
    [(0,), (1,), (3,), ()]
    >>> numbers_of("Crane", labels)
    (1, 2)
    """
    just_so = tuple(number for number, label in enumerate(labels) if label == name)
    if just_so:
        return just_so
    asked = {_plain(name)}
    known = (any_name(label) for label in labels)
    return tuple(number for number, names in enumerate(known) if names & asked)


def class_called(name: str, labels: Sequence[str]) -> int | None:
    """The number of the class called `name`, or with that number; None where there is none.

    Raises:
        UnknownUnitError: several classes are called so, with their numbers.
    """
    found = numbers_of(name, labels)
    if len(found) > 1:
        *others, last = [str(number) for number in found[:9]]
        raise UnknownUnitError(
            f"{len(found)} classes are called {name!r}: {', '.join(others)} and {last}; give the "
            "number of one"
        )
    if found:
        return found[0]
    number = int(name) if name.isdecimal() else len(labels)
    return number if number < len(labels) else None


def classes_called(text: str, labels: Sequence[str]) -> tuple[int, ...] | None:
    """The classes of a list with commas, or the one that is called by all of the text.

    None where any is not there; raises `UnknownUnitError` as `class_called`.

    >>> classes_called("hen, tench,hen", ["tench, Tinca tinca", "hen"])
    (1, 0)
    """
    whole = class_called(text, labels)
    parts = (
        [whole] if whole is not None else [class_called(p.strip(), labels) for p in text.split(",")]
    )
    found = tuple(dict.fromkeys(part for part in parts if part is not None))
    return None if None in parts else found


def as_number(meant: object) -> int | None:
    """A whole number of any kind, as NumPy's and PyTorch's; None for all else, True and False."""
    if "bool" in str(getattr(meant, "dtype", type(meant).__name__)):
        return None
    try:
        return index(meant)  # type: ignore[arg-type]
    except (TypeError, RuntimeError):
        return None


def nearest_class(name: str, labels: Sequence[str], others: Sequence[str] = ()) -> str:
    """Which of `others` and of any names of classes is most like `name`, as `nearest` says it.

    >>> nearest_class("tenhc", ["tench, Tinca tinca", "hen"])
    'nearest: tench, hen'
    """
    single = [part.strip() for label in labels for part in label.split(",")]
    close = nearest(name, dict.fromkeys((*others, *labels, *single)))
    return close if close.startswith("nearest") else nearest(name, (*others, *labels))


def listed(names: str | Collection[str]) -> Collection[str]:
    """Names of which one may be given as it is, and is not its letters."""
    return [names] if isinstance(names, str) else names


def any_name(label: str) -> set[str]:
    """All that a label may be called: as a whole, by any of its names or its synset's number."""
    return spellings_of(label)[3] | {_plain(label)}


def spellings_of(name: str) -> tuple[set[str], ...]:
    """The ways in which a name may be written elsewhere, the surest first."""
    synset = _SYNSET.match(name.strip())
    rest = synset[2] if synset else name
    parts = [_plain(part) for part in rest.split(",")]
    first = {parts[0]} | ({synset[1].lower()} if synset else set())
    return {name}, {_plain(name)}, first - {""}, ({*parts} | first) - {""}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name).strip().casefold()
