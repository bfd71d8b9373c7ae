"""What is gathered from shards and merged is what is gathered from all of them."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.utils.data import TensorDataset

import phosphene.survey
import tiny
from cells import some
from phosphene.data import Batch, shards
from phosphene.errors import DataError, NetworkError
from phosphene.network import Input, Network
from phosphene.survey import (
    Accumulator,
    Between,
    ClassMeans,
    Histograms,
    LabelPredictions,
    LayerSurvey,
    Moments,
    Predictions,
    Survey,
    TopExamples,
    responses,
)
from phosphene.survey.spread import Spread
from phosphene.survey.state import load_state, save_state
from states import same

COUNT, UNITS, CLASSES, K = 41, 3, 4, 5

NETWORK = Network(
    tiny.seeded(lambda: nn.Sequential(nn.Conv2d(1, UNITS, 2), nn.Flatten(), nn.Linear(12, 4))),
    Input(1, (3, 3)),
)


def drawn() -> Iterator[Any]:
    """Values on a grid, so that many repeat and sums of them are exact, over many orders."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(-9, 9, (COUNT, UNITS, 2, 2), generator=generator) / 8
    yield coarse * torch.tensor([1, 2.0**9, 2.0**-9]).view(1, 3, 1, 1)
    yield torch.randint(-1, CLASSES, (COUNT,), generator=generator)
    yield torch.rand(COUNT, CLASSES, generator=generator)
    yield torch.rand(COUNT, CLASSES, generator=generator) > 0.5
    pictures = torch.rand(COUNT, 1, 3, 3, generator=generator)
    pictures[[7, 40]] = torch.nan  # left out, and named
    yield pictures


VALUES, LABELS, SCORES, MEMBERS, PICTURES = drawn()


def batch(of: torch.Tensor) -> Batch:
    return Batch(of, PICTURES[of], LABELS[of], ())


@dataclass(frozen=True)
class Kind:
    """How one is made, and how it takes in the pictures of some numbers."""

    make: Callable[[], Any]
    add: Callable[[Any, torch.Tensor], None]
    exact: bool = True


KINDS = {
    TopExamples: Kind(
        lambda: TopExamples(UNITS, K), lambda some, of: some.add(responses(VALUES[of]), of)
    ),
    Histograms: Kind(
        lambda: Histograms(UNITS), lambda some, of: some.add(responses(VALUES[of]).values)
    ),
    Moments: Kind(lambda: Moments(UNITS), lambda some, of: some.add(VALUES[of]), exact=False),
    Between: Kind(
        lambda: Between(UNITS, CLASSES),
        lambda some, of: some.add(VALUES[of].amax((2, 3)), SCORES[of]),
        exact=False,
    ),
    ClassMeans: Kind(
        lambda: ClassMeans(UNITS, CLASSES),
        lambda some, of: some.add(VALUES[of].amax((2, 3)), LABELS[of]),
    ),
    LabelPredictions: Kind(
        lambda: LabelPredictions(CLASSES), lambda some, of: some.add(SCORES[of], MEMBERS[of])
    ),
    Predictions: Kind(
        lambda: Predictions(CLASSES, K), lambda some, of: some.add(SCORES[of], LABELS[of], of)
    ),
    Spread: Kind(lambda: Spread(K), lambda some, of: some.add(LABELS[of].tolist(), of.tolist())),
    LayerSurvey: Kind(
        lambda: LayerSurvey(NETWORK.layer("0"), CLASSES, K),
        lambda some, of: some.add(VALUES[of], batch(of)),
        exact=False,
    ),
    Survey: Kind(
        lambda: Survey(NETWORK, ["0", "2"], k=K, keep=K, neighbours=True),
        lambda some, of: some.add(batch(of)),
        exact=False,
    ),
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_whatever_takes_in_batches_merges_and_is_tried_here() -> None:
    names = [module.name for module in iter_modules(phosphene.survey.__path__)]
    found = {
        thing
        for name in names
        for thing in vars(import_module(f"phosphene.survey.{name}")).values()
        if isinstance(thing, type) and hasattr(thing, "add")
        if thing.__module__.startswith("phosphene.survey")
    }
    assert found == KINDS.keys()
    assert all(issubclass(thing, Accumulator) for thing in found)


def cut(seed: int) -> list[torch.Tensor]:
    """All pictures in shards of random sizes, some empty, some of one."""
    rng = random.Random(seed)
    most = rng.choice([1, 3, 20, COUNT])
    ends = sorted({rng.randrange(COUNT + 1) for _ in range(COUNT // most)} | {0, COUNT})
    pieces = [torch.arange(*span) for span in pairwise(ends)]
    return [*pieces, torch.arange(0)]


def gathered(kind: Kind, of: torch.Tensor, size: int) -> Any:
    """What one finds that goes through some pictures, `size` at a time."""
    found = kind.make()
    for taken in of.split(size) if len(of) else ():
        kind.add(found, taken)
    return found


def merged(kind: Kind, parts: Sequence[Any]) -> Any:
    whole = kind.make()
    for part in parts:
        whole.merge(part)
    return whole


every_cut = pytest.mark.parametrize("seed", some(range(12), quick=(6, 7, 8, 9)))
"""Among the quick are one of each size of shards that `cut` knows, with empty ones in all."""


@every_cut
def test_shards_in_any_order_are_the_whole(kind: Kind, seed: int) -> None:
    rng = random.Random(seed)
    parts = [gathered(kind, of, rng.randint(1, 9)) for of in cut(seed)]
    whole = gathered(kind, torch.arange(COUNT), COUNT)
    if kind.exact:
        rng.shuffle(parts)
        found, expected = merged(kind, parts).state(), whole.state()
        if "pairs" in found:
            found["pairs"].sort(), expected["pairs"].sort()
        assert same(found, expected)
    else:
        found = merged(kind, parts)
        for one, other in zip(rounded(found), rounded(whole), strict=True):
            assert_allclose(one.mean, other.mean, rtol=1e-6, atol=1e-9)
            assert_allclose(products(one), products(other), rtol=1e-5, atol=1e-5)
        assert getattr(found, "skipped", []) == getattr(whole, "skipped", [])


def rounded(found: Any) -> list[Moments | Between]:
    """What adds up floats in it."""
    if isinstance(found, Survey):
        layers = [layer.moments for layer in found.layers.values()]
        return [*layers, *found.between.values()]
    return [found if isinstance(found, Moments | Between) else found.moments]


def products(found: Moments | Between) -> torch.Tensor:
    return found.products if isinstance(found, Between) else found.scatter


@every_cut
def test_a_cut_gives_the_same_bits_whoever_gathers_the_shards(
    kind: Kind, seed: int, tmp_path: Path
) -> None:
    """Each shard is gathered elsewhere, in any order, and the merging is interrupted after each."""
    pieces = cut(seed)
    expected = merged(kind, [gathered(kind, of, 4) for of in pieces])
    for place in random.Random(seed).sample(range(len(pieces)), len(pieces)):
        save_state(gathered(kind, pieces[place], 4), tmp_path / f"{place}", "key")
    save_state(kind.make(), tmp_path / "whole", "key")
    for place in range(len(pieces)):
        whole, part = kind.make(), kind.make()
        assert load_state(whole, tmp_path / "whole", "key")
        assert load_state(part, tmp_path / f"{place}", "key")
        whole.merge(part)
        save_state(whole, tmp_path / "whole", "key")
    assert same(whole.state(), expected.state())


def test_nothing_adds_nothing(kind: Kind) -> None:
    of = torch.arange(COUNT)
    before, after = gathered(kind, of, 6), gathered(kind, of, 6)
    after.merge(kind.make())
    assert same(after.state(), before.state())
    assert same(merged(kind, [before]).state(), before.state())


def test_a_state_replaces_what_was_held(kind: Kind) -> None:
    some, other = gathered(kind, torch.arange(9), 3), gathered(kind, torch.arange(9, COUNT), 3)
    other.restore(some.state())
    assert same(other.state(), some.state())
    kind.add(other, torch.arange(9, 12))
    assert same(gathered(kind, torch.arange(9), 3).state(), some.state()), "it shares no memory"


def test_a_file_of_something_else_is_no_state(tmp_path: Path) -> None:
    some, path = Spread(3), tmp_path / "state"
    assert not load_state(some, path, "key")
    save_state(gathered(KINDS[Spread], torch.arange(9), 3), path, "another")
    assert not load_state(some, path, "key")
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    with pytest.warns(UserWarning, match=r"state is damaged"):
        assert not load_state(some, path, "another")
    assert some.members == []


def test_examples_are_spread_over_all_shards() -> None:
    spread, whole = Spread(3), Spread(3)
    for members in ([5, 6, 7, 8], [0, 9], [1, 2, 3, 4]):
        part = Spread(3)
        part.add(["a" if member > 2 else "b" for member in members], members)
        spread.merge(part)
    whole.add(["b"] * 3 + ["a"] * 7, range(10))
    assert spread.members == whole.members == [0, 3, 1]


def test_equal_responses_are_kept_by_their_number_whichever_shard_comes_first() -> None:
    values = torch.ones(4, 1, 1, 1)
    first, second = TopExamples(1, 3), TopExamples(1, 3)
    second.add(responses(values), torch.arange(4, 8))
    first.add(responses(values[:2]), torch.arange(2))
    second.merge(first)
    assert second.images.tolist() == [[0, 1, 4]]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (TopExamples(3, 5), TopExamples(3, 6), "TopExamples of units 3, k 6 .* units 3, k 5"),
        (Moments(3), Moments(4), "Moments of units 4 cannot be taken into Moments of units 3"),
        (Moments(3), Histograms(3), "Histograms of units 3 cannot be taken into Moments"),
        (Survey(NETWORK, ["0"]), Survey(NETWORK, ["0", "2"]), r"layers \['0', '2'\], classes 4"),
    ],
)
def test_what_was_asked_otherwise_is_refused(one: Any, other: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        one.merge(other)
    if type(one) is type(other):
        with pytest.raises(DataError, match=told):
            one.restore(other.state())


class Scaled(nn.Module):
    """Divides by each picture's largest value: black ones give NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x / x.amax((1, 2, 3), keepdim=True))


class TestOver:
    """A survey over a dataset is that of its shards, merged in their order."""

    data = TensorDataset(PICTURES.nan_to_num(), LABELS)

    @pytest.fixture(autouse=True)
    def in_shards_of_twelve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("phosphene.data.batching.SHARD", 13)

    def test_the_shards_are_whole_batches(self) -> None:
        found = [[b.indices.tolist() for b in shard] for shard in shards(self.data, size=4)]
        assert [len(shard) for shard in found] == [3, 3, 3, 2]
        assert [i for shard in found for some in shard for i in some] == list(range(COUNT))
        assert [len(list(shard)) for shard in shards(self.data, size=20)] == [1, 1, 1]
        later = [[b.indices.tolist() for b in shard] for shard in shards(self.data, 4, start=24)]
        assert later == found[2:]
        with pytest.raises(DataError, match="from item -1 on"):
            next(shards(self.data, start=-1))

    def test_it_is_the_shards_merged(self) -> None:
        whole, found = Survey(NETWORK, ["0"]), Survey(NETWORK, ["0"])
        for shard in shards(self.data, 4):
            part = whole.empty()
            for one in shard:
                part.add(one)
            whole.merge(part)
        assert found.over(self.data, 4) is found
        assert same(found.state(), whole.state())
        assert found.seen == COUNT

    def test_it_goes_on_where_it_was_left(self) -> None:
        whole, found = Survey(NETWORK, ["0"]).over(self.data, 4), Survey(NETWORK, ["0"])
        found.over(TensorDataset(*self.data[:24]), 4)
        assert found.seen == 24
        found.over(self.data, 4)
        assert same(found.state(), whole.state())

    def test_a_later_shard_without_one_number_is_left_out_like_any_picture(self) -> None:
        pictures = PICTURES.nan_to_num(0.5)
        pictures[12:24] = 0
        network = Network(tiny.seeded(Scaled), Input(1, (3, 3)))
        found = Survey(network, ["conv"], classes=CLASSES).over(TensorDataset(pictures, LABELS), 4)
        assert (found.count, len(found.skipped)) == (COUNT - 12, 12)
        with pytest.raises(NetworkError, match="to each of the first 4 pictures"):
            found.empty().over(TensorDataset(pictures.roll(-12, 0), LABELS), 4)
