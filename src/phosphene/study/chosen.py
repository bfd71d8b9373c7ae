"""Which units of a layer a study shows, where they are not all: `conv2:0-9`, `fc:340`, `*:0-7`."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from phosphene.errors import SettingError, UnknownLayerError, UnknownUnitError, nearest
from phosphene.network import Layer

_CHOICE = re.compile(r"(?P<layer>.+):(?P<first>\d+)(?:-(?P<last>\d+))?")


def choose_units(layers: Sequence[Layer], choices: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """The units of each of `layers` that `choices` names; a layer that none names is left out.

    A choice is a layer and one unit or a span of them, `conv2:17` or `conv2:0-9`; `*` and `?` in
    the layer are wild. A layer that is named in full goes by that alone, so that
    `["*:0-7", "fc:340"]` takes eight units of each layer and one class. A span reaches as far as
    the layer does where the layer is wild.

    Raises:
        SettingError: a text that is no such choice.
        UnknownLayerError: none of `layers` has that name, with the nearest.
        UnknownUnitError: the layer has no such unit.
    """
    named: dict[str, set[int]] = {}
    wild: dict[str, set[int]] = {}
    for choice in choices:
        pattern, first, last = _parsed(choice)
        exact = [layer for layer in layers if layer.name == pattern]
        matching = exact or [layer for layer in layers if matches(layer.name, pattern)]
        if not matching:
            names = [layer.name for layer in layers]
            raise UnknownLayerError(
                f"{choice}: no layer {pattern!r} is studied; {nearest(pattern, names)}"
            )
        for layer in matching:
            if exact and last >= layer.units:
                raise UnknownUnitError(
                    f"{choice}: layer {layer.name!r} has units 0 to {layer.units - 1}"
                )
            found = (named if exact else wild).setdefault(layer.name, set())
            found.update(range(first, min(last + 1, layer.units)))
    return {name: tuple(sorted(units)) for name, units in (wild | named).items()}


def matches(name: str, pattern: str) -> bool:
    """Whether a layer is meant by `pattern`, whose `*` and `?` are wild.

    >>> matches("conv2", "conv*"), matches("attention[0]", "attention[0]")
    (True, True)
    """
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # brackets are part of layers' names


def _parsed(choice: str) -> tuple[str, int, int]:
    match = _CHOICE.fullmatch(choice.strip())
    if match is None:
        raise SettingError(
            f"{choice!r} chooses no units; write layer:unit or layer:first-last, "
            "such as conv2:17 or conv2:0-9"
        )
    first, last = int(match["first"]), int(match["last"] or match["first"])
    if last < first:
        raise SettingError(
            f"{choice!r} ends before it begins; write {match['layer']}:{last}-{first}"
        )
    return match["layer"], first, last
