"""Units of two layers matched one to one, against all matchings tried one by one."""

import json
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

import tiny
from phosphene.data import Unreadable
from phosphene.errors import ChannelError, DataError, UnknownLayerError
from phosphene.network import Input, Network
from phosphene.survey import UnitMatch, match_units
from phosphene.survey.moments import MOST_COMPARED

GREY = Input(1, (8, 8))
PICTURES = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
ORDER = [3, 0, 5, 1, 4, 2]


def conv(units: int = 6, seed: int = 0) -> nn.Sequential:
    module = tiny.seeded(lambda: nn.Sequential(nn.Conv2d(1, units, 3), nn.ReLU()), seed)
    module[0].bias.data.abs_()  # so that every unit answers to something
    return module


def shuffled(module: nn.Sequential) -> nn.Sequential:
    """The same channels in another order."""
    other = conv()
    other[0].weight.data, other[0].bias.data = module[0].weight[ORDER], module[0].bias[ORDER]
    return other


def net(module: nn.Module, name: str = "", input: Input = GREY) -> Network:
    return Network(module.eval(), input, name=name or "net")


class Looks(nn.Module):
    """Each unit is the mean of some pixels of its own, on one side of the picture."""

    def __init__(self, units: int, seed: int, left: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(64, units)
        mask = torch.zeros(8, 8)
        mask[:, slice(0, 4) if left else slice(4, 8)] = 1
        weights = torch.randn(units, 64, generator=torch.Generator().manual_seed(seed))
        self.fc.weight.data = weights * mask.flatten()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


class Worded(Dataset[object]):
    """The pictures, of which some cannot be read."""

    def __init__(self, lost: tuple[int, ...], pictures: torch.Tensor = PICTURES) -> None:
        self.lost, self.pictures = lost, pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> object:
        if index in self.lost:
            return Unreadable(f"{index}.png", "cut short")
        return self.pictures[index]


def answers(network: Network, layer: str, pictures: torch.Tensor) -> np.ndarray:
    """Each unit's largest value, found picture by picture and unit by unit."""
    rows = []
    for picture in pictures:
        maps = network.record(picture[None], [layer])[layer][0].detach()
        rows.append([float(each.max()) for each in maps.reshape(len(maps), -1)])
    return np.array(rows, float)


def slowly(one: np.ndarray, two: np.ndarray) -> tuple[float, set[tuple[int, int]]]:
    """The best of all matchings, each tried."""
    correlation = [[np.corrcoef(a, b)[0, 1] for b in two.T] for a in one.T]
    best, pairs = -np.inf, set[tuple[int, int]]()
    fewer = min(one.shape[1], two.shape[1])
    for rows in permutations(range(one.shape[1]), fewer):
        if one.shape[1] == fewer and rows != tuple(range(fewer)):
            continue  # the order of pairs does not matter
        for columns in permutations(range(two.shape[1]), fewer):
            tried = list(zip(rows, columns, strict=True))
            total = sum(correlation[i][j] for i, j in tried)
            if total > best + 1e-12:
                best, pairs = total, set(tried)
    return best, pairs


@pytest.mark.parametrize(("units", "others"), [(4, 4), (3, 5)])
def test_the_matching_is_the_best_of_all(units: int, others: int) -> None:
    one, two = net(conv(units)), net(conv(others, seed=1))
    found = match_units(one, "0", two, "1", PICTURES[:20], draws=1)
    first, second = answers(one, "0", PICTURES[:20]), answers(two, "1", PICTURES[:20])
    total, pairs = slowly(first, second)
    assert {tuple(pair) for pair in found.pairs.tolist()} == pairs
    assert float(found.correlation.sum()) == pytest.approx(total)
    for (i, j), correlation in zip(found.pairs.tolist(), found.correlation.tolist(), strict=True):
        assert correlation == pytest.approx(np.corrcoef(first[:, i], second[:, j])[0, 1])
    assert found.correlation.tolist() == sorted(found.correlation.tolist(), reverse=True)
    assert (found.units, found.pictures, found.constant) == ((units, others), 20, ((), ()))


def test_permuted_channels_are_found_again() -> None:
    one, two = net(conv(), "one"), net(shuffled(conv()), "two")
    found = match_units(one, "1", two, "1", PICTURES)
    assert sorted(found.pairs.tolist()) == [[ORDER[i], i] for i in np.argsort(ORDER).tolist()]
    assert found.correlation.tolist() == pytest.approx([1.0] * 6)
    assert found.above.all()
    assert float(found.null.max()) < 0.8
    assert "6 of 6 pairs correlate beyond" in found.summary


def test_what_has_nothing_in_common_is_not_beyond_chance() -> None:
    pictures = torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    one, two = net(Looks(12, 0, left=True)), net(Looks(12, 1, left=False))
    found = match_units(one, "fc", two, "fc", pictures, draws=30)
    assert not found.above.any()
    assert float(found.correlation.mean()) == pytest.approx(float(found.null.mean()), abs=0.02)
    same = match_units(one, "fc", one, "fc", pictures, draws=30)
    assert same.above.all()
    assert same.pairs[:, 0].tolist() == same.pairs[:, 1].tolist()


def test_the_null_is_the_same_matching_of_permuted_pictures() -> None:
    """Whoever shows the second other pictures finds what the null says, and draws differ."""
    found = match_units(net(conv(4)), "0", net(conv(4, 1)), "0", PICTURES, draws=6, seed=3)
    assert found.null.shape == (6, 4)
    assert len({tuple(row) for row in found.null.tolist()}) == 6
    apart = PICTURES[torch.randperm(60, generator=torch.Generator().manual_seed(9))]
    one = match_units(
        net(conv(4)), "0", net(conv(4, 1)), "0", PICTURES, other_pictures=apart, draws=40
    )
    assert one.null.min() - 0.1 < one.correlation.mean() < one.null.max() + 0.1
    again = match_units(net(conv(4)), "0", net(conv(4, 1)), "0", PICTURES, draws=6, seed=3)
    assert torch.equal(found.null, again.null)
    other = match_units(net(conv(4)), "0", net(conv(4, 1)), "0", PICTURES, draws=6, seed=4)
    assert not torch.equal(found.null, other.null)
    assert found.bound == pytest.approx(float(np.quantile(found.null.numpy(), 0.99)), abs=1e-6)


def test_constant_units_are_told_and_not_matched() -> None:
    module = conv()
    module[0].bias.data[2] = -50  # it never fires
    module[0].weight.data[4], module[0].bias.data[4] = 0, 3  # it always answers the same
    found = match_units(net(module), "1", net(conv(7, 1)), "1", PICTURES)
    assert found.constant == ((2, 4), ())
    assert set(found.pairs[:, 0].tolist()) == {0, 1, 3, 5}
    assert "2 units of 1 of net never change and are not matched." in found.summary
    module[0].bias.data[:] = -50
    none = match_units(net(module), "1", net(conv(7, 1)), "1", PICTURES)
    assert (none.pairs.shape, none.bound, none.above.tolist()) == ((0, 2), None, [])
    assert "no units to be matched" in none.summary
    assert json.loads(json.dumps(none.to_json(), allow_nan=False))["null"]["mean"] is None


def test_each_network_takes_the_pictures_its_own_way() -> None:
    large = torch.nn.functional.interpolate(PICTURES, scale_factor=2).expand(-1, 3, -1, -1)
    grey = net(conv())
    colour = conv()
    colour[0] = nn.Conv2d(3, 6, 6, stride=2)
    weight = conv()[0].weight.repeat_interleave(2, 2).repeat_interleave(2, 3) / 12
    colour[0].weight.data = weight.expand(-1, 3, -1, -1).clone()
    colour[0].bias.data = conv()[0].bias.data
    other = net(colour, "colour", Input(3, (16, 16)))
    found = match_units(grey, "0", other, "0", PICTURES, other_pictures=large)
    assert found.pairs[:, 0].tolist() == found.pairs[:, 1].tolist()
    assert found.correlation.tolist() == pytest.approx([1.0] * 6)
    with pytest.raises(ChannelError):
        match_units(grey, "0", other, "0", large, other_pictures=PICTURES)


def test_what_one_of_them_cannot_read_is_left_out_for_both() -> None:
    one, two = net(conv()), net(shuffled(conv()))
    found = match_units(one, "0", two, "0", Worded((3, 7)), other_pictures=Worded((7, 20)))
    assert found.pictures == 57
    assert found.correlation.tolist() == pytest.approx([1.0] * 6)
    kept = [i for i in range(60) if i not in {3, 7, 20}]
    alone = match_units(one, "0", two, "0", PICTURES[kept])
    assert torch.equal(found.pairs, alone.pairs)
    assert found.correlation.tolist() == pytest.approx(alone.correlation.tolist())


def test_a_picture_that_is_answered_nan_is_left_out() -> None:
    class Breaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            lost = (x[:, 0, 0, 0] > 0.9).view(-1, 1, 1, 1)
            return torch.where(lost, torch.nan, x)

    one = net(nn.Sequential(Breaks(), *conv()))
    found = match_units(one, "1", net(conv()), "0", PICTURES)
    assert found.pictures == int((PICTURES[:, 0, 0, 0] <= 0.9).sum()) < 60
    assert found.correlation.tolist() == pytest.approx([1.0] * 6)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"layer": "9"}, UnknownLayerError, "9"),
        ({"pictures": PICTURES[:2]}, DataError, "2 pictures can be read by both"),
        ({"other_pictures": PICTURES[:9]}, DataError, "60 pictures for net and 9 for net"),
        ({"pictures": TensorDataset(torch.rand(4, 3, 8, 8))}, ChannelError, "3 channels"),
    ],
)
def test_what_cannot_be_matched_is_refused(
    asked: dict[str, object], error: type[Exception], words: str
) -> None:
    known = {"layer": "0", "pictures": PICTURES} | asked
    layer, pictures = str(known.pop("layer")), known.pop("pictures")
    with pytest.raises(error, match=words):
        match_units(net(conv()), layer, net(conv()), "0", pictures, **known)


def test_of_very_wide_layers_nothing_is_compared() -> None:
    wide = net(nn.Sequential(nn.Flatten(), nn.Linear(64, MOST_COMPARED + 1)))
    with pytest.raises(DataError, match="at most 4,096 are matched"):
        match_units(net(conv()), "0", wide, "1", PICTURES)


def test_it_is_a_value_of_json() -> None:
    found = match_units(net(conv(), "one"), "0", net(conv(4, 1), "two"), "0", PICTURES, draws=5)
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["networks"] == ["one", "two"]
    assert told["units"] == [6, 4]
    assert len(told["pairs"]) == len(told["correlation"]) == 4
    assert told["null"]["draws"] == 5
    assert told["null"]["mean"] < told["null"]["bound"] <= told["null"]["strongest"]
    assert isinstance(found, UnitMatch)
