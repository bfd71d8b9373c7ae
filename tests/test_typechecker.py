"""What is wrong is refused where calls are checked, with shapes and without, at every door."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from typechecker import checked

REFUSED = (BeartypeCallHintViolation, TypeCheckError)


def half(number: float) -> float:
    return number / 2 if number else "nothing"


def both(a: Float[Tensor, "b n"], b: Float[Tensor, "b n"] | None = None) -> Float[Tensor, " b"]:
    return a.sum(1) if b is None else (a * b).sum()


def each(rows: Float[Tensor, "b n"]) -> Iterator[Float[Tensor, " n"]]:
    yield from rows


def told(rows: "Float[Tensor, 'b n']") -> int:
    return len(rows)


class Held:
    @checked
    @staticmethod
    def still(number: int) -> int:
        return number

    @checked
    @classmethod
    def of_class(cls, number: int) -> int:
        return number

    @checked
    @property
    def half(self) -> int:
        return 0.5


@checked
@dataclass(frozen=True)
class Pair:
    first: int
    rows: Float[Tensor, "b n"]


PAIR, ROW = torch.zeros(2, 3), torch.zeros(3)


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (half, (1,), [("1",), (0,)]),  # the argument; the answer
        (both, (PAIR,), [(ROW,), (PAIR, torch.zeros(2, 4)), (PAIR, PAIR), (PAIR.int(),)]),
        (each, (PAIR,), [(ROW,)]),
        (told, (PAIR,), [(ROW,)]),
        (Held.still, (1,), [("1",)]),
        (Held.of_class, (1,), [("1",)]),
        (Pair, (1, PAIR), [("1", PAIR), (1, ROW)]),
    ],
)
def test_what_is_wrong_is_refused(function: Any, right: tuple, wrong: list[tuple]) -> None:
    if function in (half, both, each, told):
        function = checked(function)
    function(*right)
    for arguments in wrong:
        with pytest.raises(REFUSED):
            function(*arguments)


def test_a_property_is_checked() -> None:
    with pytest.raises(REFUSED):
        _ = Held().half


class Thing:
    """What a function may hold of its surroundings."""


def within(thing: Thing, factor: object) -> tuple[Any, Any]:
    @checked
    def times(number: int) -> int:
        return number * factor

    @checked
    def rows(a: Float[Tensor, "b n"], b: Float[Tensor, "b n"]) -> Thing:
        return thing

    return times, rows


def test_functions_within_one_are_checked_each_time_and_have_their_own_surroundings() -> None:
    for factor in (2, 3):
        thing = Thing()
        times, rows = within(thing, factor)
        assert times(5) == 5 * factor
        assert rows(PAIR, PAIR) is thing
        for function, wrong in ((times, ("1",)), (rows, (PAIR, torch.zeros(2, 4)))):
            with pytest.raises(REFUSED):
                function(*wrong)
    with pytest.raises(REFUSED):
        within(thing, 0.5)[0](1)


def test_what_was_checked_holds_nothing_of_its_surroundings() -> None:
    thing = Thing()
    gone = weakref.ref(thing)
    within(thing, 2)
    del thing
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("hint", [int, str])
def test_other_hints_of_the_same_function_are_other_checks(hint: type) -> None:
    @checked
    def same(value: hint) -> hint:
        return value

    assert same(hint("1")) == hint("1")
    with pytest.raises(REFUSED):
        same(1.5)
