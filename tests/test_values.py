"""Every value survives JSON, and documents damaged in any way never end in a traceback."""

import copy
import json
import pkgutil
import random
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from importlib import import_module
from inspect import isabstract, isclass
from typing import Any, ClassVar

import pytest
import torch

import phosphene
import tiny
from phosphene.canvas import Bounded, Chosen, Decoded, Description, Fourier, Maco, Pixels
from phosphene.errors import InputError, ObjectiveError, PhospheneError, SettingError
from phosphene.maximize import Optimizer, Recipe, Usual
from phosphene.network import Input, Spec, fingerprint
from phosphene.network.lenses import Lens
from phosphene.objectives import (
    L1,
    L2,
    Along,
    Blend,
    Channel,
    Direction,
    Diversity,
    Energy,
    Likeness,
    Logit,
    LogProbability,
    Neuron,
    Norm,
    Outstanding,
    Probability,
    RelativeError,
    Term,
    TotalVariation,
    Unfamiliar,
    Unusual,
    Values,
)
from phosphene.results import Result
from phosphene.study import Settings
from phosphene.training import Training
from phosphene.transforms import Compose, Identity, RandomAffine, Transform
from phosphene.units import Unit
from phosphene.values import Value, identity
from phosphene.zoo.trained import Trained

KNOWN = Values.of(torch.rand(3)), Values.of(torch.ones(3))
DECODER = tiny.decoder((1, 8, 8))
INPUT = Input(3, (8, 8), mean=(0.1, 0.2, 0.3), order="bgr")
MOVES = Compose((RandomAffine(fill="zeros"), Identity(), Compose((RandomAffine(rotate=3),))))

SAMPLES: list[Value] = [
    *(Channel("a", (3, 17)) - 0.1 * L2(), -1 * Neuron("a", 1, 2, 3), Channel("a", 1)),
    *(
        Neuron("a", 1),
        Neuron("a", (1, 2), (3, 4), 5),
        Energy("a", 1),
        Along("a", 1, KNOWN[0]),
        Norm("a"),
        Norm("a", (1, 2)),
    ),
    *(Logit(1), LogProbability((1, 2)), Probability(0), Direction("a", (1.0, 2.0), 0.5)),
    *(Diversity("a", 2), TotalVariation(), L1(0.5), L2(level=1)),
    *(kind("a", *KNOWN) for kind in (Unusual, Unfamiliar, Outstanding)),
    *(kind("a", Values.of(torch.ones(2, 3))) for kind in (Likeness, RelativeError)),
    Blend(Channel("a", 1) - L2(), Logit(3), (0.0, 0.5, 1.0)),
    *KNOWN,
    *(Chosen(), Bounded(limit=2), Fourier(spread=0.5), Maco(), Pixels(start="grey")),
    Decoded(decoder=DECODER, reach=1.5),
    *(RandomAffine(), Identity(), MOVES),
    *(Optimizer(), Optimizer("SGD", 0.5)),
    *(Recipe(), Recipe("neuron", Maco(), 3, Optimizer("SGD", 1.0), Identity())),
    Recipe(transform=MOVES, size=(7, 9), unusual=0.5),
    Usual({"a": KNOWN}, {"b": KNOWN}),
    *(Training(), Training("Adadelta", 1.0, epochs=2, arguments={"rho": 0.9, "foreach": False})),
    Training(decay=0.5, augment=RandomAffine(rotate=0)),
    *(Settings(), Settings(("conv*",), (Recipe(size=(8, 8)),), 3, units=("a:0-9",))),
    *(INPUT, Input(1, (28, 28))),
    *(Spec("m.py:make"), Spec("hf:vit", "w.pt", INPUT, ("a", "b"), "head", "sigmoid")),
    *(Unit("a", 1), Unit("b.c", 2, 3, 4)),
    Lens("pca", "conv2", ((1.0, -0.5), (0.0, 2.0))),
    Trained("hvass", INPUT, ("a", "b"), {"widths": (3, 4), "name": "x"}, "digits"),
]

TOLD_ONLY = {"Network", "Family", "LayerUnits", "Census", "Side", "Option"} | {
    "Edge",
    "Rest",
    "Part",
    "Way",
    "Flip",
    "Whole",
    "Graph",
    "Price",  # parts of answers, and of promises
}
"""What tells of itself in JSON for people: made from something else, or a part of a result."""


def below(kind: type) -> Iterator[type]:
    """All classes of the package that come from `kind` and can be made."""
    for child in kind.__subclasses__():
        if child.__module__.startswith("phosphene") and not isabstract(child):
            yield child
        yield from below(child)


def classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(phosphene.__path__, "phosphene."):
        if not found.name.endswith("__main__"):
            for value in vars(import_module(found.name)).values():
                if isclass(value) and value.__module__ == found.name:
                    yield value


def read(sample: Value, document: Any) -> Value:
    if isinstance(sample, Decoded):
        return Decoded.from_json(document, DECODER)
    return type(sample).from_json(document)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_every_value_survives_json(sample: Value) -> None:
    written = sample.to_json()
    document = json.loads(json.dumps(written))
    assert document == written
    again = read(sample, document)
    assert again == sample
    assert type(again) is type(sample)
    assert again.to_json() == written
    if sample.__hash__ is not None and not isinstance(sample, Usual | Trained):
        assert hash(again) == hash(sample)


def test_every_kind_of_value_is_in_these_tests() -> None:
    list(classes())  # whatever declares a value is imported
    assert set(below(Value)) == {type(sample) for sample in SAMPLES}


@pytest.mark.parametrize("family", [Term, Description, Transform])
def test_every_member_is_registered_under_its_name(family: type[Value]) -> None:
    assert {c.kind: c for c in below(family)}.items() <= family.kinds().items()


def test_what_is_written_as_json_can_be_read() -> None:
    told = {c for c in classes() if "to_json" in vars(c) and not issubclass(c, Value | Result)}
    writers = {c for c in told if not hasattr(c, "from_json")}
    assert {writer.__name__ for writer in writers} <= TOLD_ONLY


def test_a_field_that_came_later_is_not_mentioned_while_it_has_its_default() -> None:
    @dataclass(frozen=True)
    class Today(Recipe):
        unsaid: ClassVar[tuple[str, ...]] = (*Recipe.unsaid, "mood")
        mood: tuple[float, ...] = ()

    assert Today().to_json() == Recipe().to_json()
    assert Today.from_json(Recipe().to_json()) == Today()
    assert Today.from_json(Today(mood=(1.0,)).to_json()) == Today(mood=(1.0,))


def test_seeds_and_fingerprints_know_a_value_by_the_code_that_makes_it() -> None:
    for sample in SAMPLES:
        if isinstance(sample, Term | Values | Unit | Input):
            assert identity(sample) == repr(sample)
    assert identity((1, ("a",), 2.0)) == "(1, ('a',), 2.0)"


def test_a_field_that_came_later_changes_no_seed_and_no_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Term, "members", dict(Term.members))
    module = tiny.network("functional").module

    def later(kind: type[Value]) -> type[Value]:
        fields = [("mood", tuple[float, ...], ())]
        unsaid = {"unsaid": (*kind.unsaid, "mood"), "__qualname__": kind.__qualname__}
        unsaid["kind"] = f"later {kind.kind}"
        return make_dataclass("Later", fields, bases=(kind,), namespace=unsaid, frozen=True)

    channel, input = later(Channel), later(Input)
    assert identity(channel("a", 3) - 0.5 * L2()) == identity(Channel("a", 3) - 0.5 * L2())
    assert identity(channel("a", 3, mood=(1.0,))) != identity(Channel("a", 3))
    known = fingerprint(module, Input(1, (16, 16), mean=0.5))
    assert fingerprint(module, input(1, (16, 16), mean=0.5)) == known
    assert fingerprint(module, input(1, (16, 16), mean=0.5, mood=(1.0,))) != known


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(ObjectiveError, match=r"terms\.Channel is the objective of the kind 'Chan"):
        type("Channel", (Term,), {})
    assert Term.kinds()["Channel"] is Channel


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


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_damaged_document_is_read_or_told_of(sample: Value) -> None:
    chance, told = random.Random(0), 0
    for _ in range(60):
        document = damaged(sample.to_json(), chance)
        try:
            read(sample, document)
        except PhospheneError:
            told += 1
    assert told > 20


def test_what_is_told_names_the_document_and_the_fault() -> None:
    with pytest.raises(SettingError, match=r"\[1\] is no canvas"):
        Description.from_json([1])
    with pytest.raises(SettingError, match=r"is no input: .*missing"):
        Input.from_json({"channels": 3})
    with pytest.raises(SettingError, match=r"is no transform: scale is 'a'; expected float"):
        Transform.from_json({"transform": "affine", "scale": ["a", 1]})
    with pytest.raises(
        SettingError, match=r"is no recipe: no aim is called 'nuron'; nearest: neuron"
    ):
        Recipe.from_json({"aim": "nuron"})
    with pytest.raises(SettingError, match=r"is no recipe: Recipe has no 'step'; nearest: steps"):
        Recipe.from_json({"step": 3})
    with pytest.raises(InputError, match=r"a spread of -0.1; it is a number, 0 or more"):
        Description.from_json({"canvas": "fourier", "spread": -0.1})
    with pytest.raises(SettingError, match=r"nan.*all of them are finite"):
        Input(1, (8, 8), mean=float("nan"))
