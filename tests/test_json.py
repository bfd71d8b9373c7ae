"""Documents of JSON damaged in any way are read or told of, and never end in a traceback."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from phosphene.canvas import CANVASES, canvas_from_json
from phosphene.errors import InputError, PhospheneError, SpecError
from phosphene.maximize import Usual
from phosphene.network import Input
from phosphene.objectives import (
    L2,
    Channel,
    Direction,
    Diversity,
    Neuron,
    Outstanding,
    TotalVariation,
    Unfamiliar,
    Unusual,
    Values,
    from_json,
)
from phosphene.transforms import Compose, Identity, RandomAffine, transform_from_json

KNOWN = Values.of(torch.rand(3)), Values.of(torch.ones(3))

OBJECTIVES = [
    Channel("a", (3, 17)) - 0.1 * L2(),
    Neuron("a", 1, 2, 3),
    Direction("a", (1.0, 2.0)),
    Diversity("a", 2),
    TotalVariation(),
    *(kind("a", *KNOWN) for kind in (Unusual, Unfamiliar, Outstanding)),
]

TRANSFORMS = [RandomAffine(), Identity(), Compose((RandomAffine(), Identity()))]

READERS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "objectives": (from_json, [term.to_json() for term in OBJECTIVES]),
    "canvases": (canvas_from_json, [canvas().to_json() for canvas in CANVASES.values()]),
    "transforms": (transform_from_json, [moves.to_json() for moves in TRANSFORMS]),
    "inputs": (Input.from_json, [Input(3, (8, 8), mean=(0.1, 0.2, 0.3), order="bgr").to_json()]),
    "usual": (Usual.from_json, [Usual({"a": KNOWN}, {"b": KNOWN}).to_json()]),
}

ODD = [
    *(None, "", "x", "A" * 10, -1, 0, 1.5, 1e308, 10**30, float("nan"), float("inf"), True),
    *([], [[]], [1, 2], {}, {"a": 1}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


def damaged(value: Any, chance: random.Random) -> Any:
    """One place of a document left out, added to, or replaced by something odd."""
    value = copy.deepcopy(value)
    *path, last = chance.choice([place for place in places(value) if place] or [(None,)])
    if last is None or chance.random() < 0.05:
        return chance.choice(ODD)
    at = value
    for key in path:
        at = at[key]
    match chance.choice(["leave out", "add", "replace", "replace"]):
        case "leave out":
            del at[last]
        case "add" if isinstance(at, dict):
            at["surplus"] = chance.choice(ODD)
        case _:
            at[last] = chance.choice(ODD)
    return value


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_document_is_read_or_told_of(name: str) -> None:
    read, documents = READERS[name]
    chance, told = random.Random(name), 0
    for _ in range(300):
        document = damaged(chance.choice(documents), chance)
        try:
            read(document)
        except PhospheneError:
            told += 1
    assert told > 100


def test_what_is_told_names_the_document_and_the_fault() -> None:
    with pytest.raises(SpecError, match=r"\[1\] is no canvas"):
        canvas_from_json([1])
    with pytest.raises(SpecError, match=r"is no input: .*missing"):
        Input.from_json({"channels": 3})
    with pytest.raises(SpecError, match=r"\['a', 1\].* is no transform: "):
        transform_from_json({"transform": "affine", "scale": ["a", 1]})
    with pytest.raises(InputError, match=r"a spread of -0.1; it is a number, 0 or more"):
        canvas_from_json({"canvas": "fourier", "spread": -0.1})
    with pytest.raises(SpecError, match=r"nan.*all of them are finite"):
        Input(1, (8, 8), mean=float("nan"))
