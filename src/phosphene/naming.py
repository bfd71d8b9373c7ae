"""Which class is meant by a name: as it is listed, written otherwise, or one of several names."""

import re
from collections.abc import Sequence

from phosphene.errors import UnknownUnitError

_SYNSET = re.compile(r"^(n\d{8})[\s_\-:,]*(.*)$", re.IGNORECASE)


def numbers_of(name: str, labels: Sequence[str]) -> tuple[int, ...]:
    """The numbers of all classes that are called `name`, in the surest way in which any is.

    That is as it stands in the list; else with other case, spaces, underscores or hyphens; else as
    the first of several names, or by a synset's number; else as any of its names.

    >>> labels = ["tench, Tinca tinca", "crane", "tower crane, crane", "n02124075 Egyptian cat"]
    >>> [numbers_of(name, labels) for name in ("Tinca_tinca", "crane", "egyptian-cat", "dog")]
    [(0,), (1,), (3,), ()]
    """
    asked = spellings_of(name)
    known = [spellings_of(label) for label in labels]
    for level, spellings in enumerate(asked):
        found = [number for number, each in enumerate(known) if each[level] & spellings]
        if found:
            return tuple(found)
    return ()


def class_called(name: str, labels: Sequence[str]) -> int | None:
    """The number of the class called `name`, or with that number; None where there is none.

    Raises:
        UnknownUnitError: several classes are called so, with their numbers.
    """
    found = numbers_of(name, labels)
    if len(found) > 1:
        listed = " and ".join(map(str, found[:9]))
        raise UnknownUnitError(
            f"{len(found)} classes are called {name!r}: {listed}; give the number of one"
        )
    if found:
        return found[0]
    number = int(name) if name.isdecimal() else len(labels)
    return number if number < len(labels) else None


def spellings_of(name: str) -> tuple[set[str], ...]:
    """The ways in which a name may be written elsewhere, the surest first."""
    synset = _SYNSET.match(name.strip())
    rest = synset[2] if synset else name
    parts = [_plain(part) for part in rest.split(",")]
    first = {parts[0]} | ({synset[1].lower()} if synset else set())
    return {name}, {_plain(name)}, first - {""}, ({*parts} | first) - {""}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", name).strip().casefold()
