"""Kernels below a unit: scores against plain weight gradients, circuits against masked weights."""

import copy
import json
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from circuits.branching import branching
from laws import unchanged
from phosphene import sheet
from phosphene.circuits import kernel_circuit, learn_masks
from phosphene.circuits.gates import Gated, map_of
from phosphene.circuits.kernels import kernel_scores
from phosphene.circuits.masks import DISTANCES, correlation, difference
from phosphene.errors import InputError, ObjectiveError
from phosphene.network import Input, Network
from phosphene.objectives import unit_maps
from phosphene.units import Unit
from tiny import network, pictures, seeded

UNITS = [
    ("branching", "last:2"),
    ("branching", "right:1"),
    ("residual", "bn2:2"),
    ("functional", "fc1:3"),
    ("tokens", "block.linear1:3"),
    ("maps", "4:1"),
    ("dense", "3:1"),
]


def made(name: str) -> Network:
    return branching(4) if name == "branching" else network(name)


def misleading() -> Network:
    """out = 5x - 5x' + y, where x and x' are the same: y alone makes the map."""
    module = nn.Sequential(nn.Conv2d(2, 3, 1, bias=False), nn.ReLU(), nn.Conv2d(3, 1, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0], [1, 0], [0, 1]])[:, :, None, None])
        module[2].weight.copy_(torch.tensor([[5.0, -5, 1]])[:, :, None, None])
    return Network(module, Input(2, (6, 6)))


@pytest.mark.parametrize(("name", "unit"), UNITS)
def test_scores_are_the_weights_times_their_gradients(name: str, unit: str) -> None:
    net, at = made(name), Unit.parse(unit)
    shown = pictures(net, 3)
    with unchanged(net.module):
        scores = kernel_scores(Gated(net, at), shown)
    module = copy.deepcopy(net.module).eval()
    plain = Network(module, net.input)
    layer = plain.layer(at.layer)
    modules = dict(module.named_modules())
    weights = [modules[path].weight for path in scores]
    drawn, expected = torch.Generator().manual_seed(0), [0.0] * len(scores)
    for picture in shown:
        seen: list[Tensor] = []
        hook = modules[layer.site.path].register_forward_hook(
            lambda m, given, out, seen=seen: seen.append(
                layer.site.read(out, net.input.size).clone()
            )
        )
        module(net.input.normalise(picture[None]))
        hook.remove()
        values = unit_maps(seen[-1])[:, at.index]
        signs = torch.randint(0, 2, values.shape, generator=drawn) * 2 - 1
        slopes = torch.autograd.grad((values * signs).mean(), weights)
        for i, (w, slope) in enumerate(zip(weights, slopes, strict=True)):
            product = (w * slope).detach()
            summed = product.sum(1, keepdim=True) if w.ndim == 2 else product.flatten(2).sum(2)
            expected[i] = expected[i] + summed.abs()
    for (path, one), other in zip(scores.items(), expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6), path


@pytest.mark.later
@pytest.mark.parametrize(("name", "unit"), UNITS)
def test_a_circuit_of_its_own_has_the_kept_weights_alone(name: str, unit: str) -> None:
    net = made(name)
    shown = pictures(net, 3)
    with unchanged(net.module):
        found = kernel_circuit(net, shown, unit, 0.5)
        own = found.alone()
    assert type(own.module) is type(net.module)
    assert own.layers.keys() == net.layers.keys()
    assert own.fingerprint != net.fingerprint
    before, after = (dict(one.module.named_modules()) for one in (net, own))
    for path, kept in found.kept.items():
        for o, i in torch.cartesian_prod(*map(torch.arange, kept.shape)).tolist():
            at = o if before[path].weight.ndim == 2 else (o, i)
            expected = before[path].weight[at] * float(kept[o, i])
            assert torch.equal(after[path].weight[at], expected)
    gated = Gated(net, found.unit)
    masks = {path: kept.float() for path, kept in found.kept.items()}
    with torch.no_grad():
        assert torch.allclose(gated.map(shown, masks), map_of(own, found.unit, shown), atol=1e-6)
        assert torch.allclose(gated.map(shown, {}), map_of(net, found.unit, shown), atol=1e-6)


def tied() -> nn.Module:
    """Two convolutions with one weight."""
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Softplus(), nn.Conv2d(2, 2, 3))
    module[2].weight = module[0].weight
    return module


def normed() -> nn.Module:
    """A weight made of two parameters."""
    return nn.Sequential(weight_norm(nn.Conv2d(2, 3, 3)), nn.Softplus(), nn.Conv2d(3, 2, 3))


@pytest.mark.parametrize("build", [tied, normed])
def test_shared_and_parametrized_weights_are_each_modules_own(
    build: Callable[[], nn.Module],
) -> None:
    net = Network(seeded(build), Input(2, (8, 8)))
    shown = pictures(net, 3)
    with unchanged(net.module):
        found = kernel_circuit(net, shown, "2:1", 0.5)
        own = found.alone()
    assert found.below == found.scores["0"].numel() + found.scores["2"].shape[1]
    assert not bool(found.kept["0"].all())
    masks = {path: kept.float() for path, kept in found.kept.items()}
    with torch.no_grad():
        expected = Gated(net, found.unit).map(shown, masks)
        assert torch.allclose(map_of(own, found.unit, shown), expected, atol=1e-6)
        first = own.record(shown, ["0"])["0"]
        weight = net.module[0].weight * found.kept["0"][:, :, None, None]
        by_hand = nn.functional.conv2d(net.input.normalise(shown), weight, net.module[0].bias)
    assert torch.allclose(first, by_hand, atol=1e-6)


@pytest.mark.later
def test_counts_are_of_what_makes_a_difference() -> None:
    net = branching(4)
    found = kernel_circuit(net, pictures(net, 3), "right:1", 1.0)
    assert found.unit == Unit("right", 1)
    assert "last" not in found.kept
    assert int(found.kept["right"].sum(1).count_nonzero()) == 1  # the unit's own row
    assert found.below == found.count
    assert found.correlation(pictures(net, 4, seed=6)) == pytest.approx(1)
    half = kernel_circuit(net, pictures(net, 3), "right:1", 0.5)
    assert half.count == round(half.below / 2)
    least = min(float(half.scores[p][k].min()) for p, k in half.kept.items() if k.any())
    most = max(float(half.scores[p][~k].max()) for p, k in half.kept.items() if not k.all())
    assert least >= most
    assert 0 < half.correlation(pictures(net, 4, seed=6)) < 1


def test_a_unit_is_taken_before_its_rectifier() -> None:
    net = branching(4)
    assert kernel_circuit(net, pictures(net, 2), "out:3@1,1", 0.5).unit == Unit("last", 3)


@pytest.mark.slow
@pytest.mark.parametrize("by", DISTANCES)
def test_learnt_masks_find_what_scores_miss(by: str) -> None:
    net = misleading()
    found = kernel_circuit(net, pictures(net, 8), "2:0", 1 / 3)
    assert found.below == 6
    assert not bool(found.kept["2"][0, 2])
    with unchanged(net.module):
        learned = learn_masks(found, pictures(net, 8), 60, by=by)
    assert learned.kept["2"].tolist() == [[False, False, True]]
    assert learned.kept["0"].tolist() == [[False, False], [False, False], [False, True]]
    others = pictures(net, 4, seed=6)
    assert learned.correlation(others) == pytest.approx(1)
    assert learned.explained(others) == pytest.approx(1)
    assert found.explained(others) < 0
    assert (
        "2 kernels of 6 below it, learnt in 60 steps: 1 of 3 in 0, 1 of 3 in 2" in learned.summary
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_learnt_masks_are_as_many_and_no_worse_than_scores(seed: int) -> None:
    net = branching(seed)
    shown = pictures(net, 24)
    found = kernel_circuit(net, shown, "last:2", 0.3)
    learned = learn_masks(found, shown, 10, size=(36, 36))
    assert learned.count == found.count
    assert learned.correlation(shown) > found.correlation(shown) - 0.05
    again = learn_masks(found, shown, 10, size=(36, 36))
    assert all(torch.equal(again.kept[path], learned.kept[path]) for path in learned.kept)


@pytest.mark.later
def test_it_travels_and_says_itself() -> None:
    net = branching(4)
    found = kernel_circuit(net, pictures(net, 3), "last:2", 0.4)
    own = found.alone()
    sent = pickle.loads(pickle.dumps(own))
    assert sent.fingerprint == own.fingerprint
    assert (
        f"last:2: {found.count} kernels of {found.below} below it, by their score" in found.summary
    )
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert sum(map(len, plain["kept"].values())) == found.count
    assert plain["unit"] == "last:2"
    assert sheet(found).width > sheet(found).height > 100


def test_distances() -> None:
    one, other = torch.rand(50), torch.rand(50)
    expected = torch.corrcoef(torch.stack([one, other]))[0, 1]
    assert float(correlation(one, other)) == pytest.approx(float(expected), abs=1e-5)
    assert float(correlation(one, torch.ones(50))) == 0
    assert float(correlation(3 * one - 1, one)) == pytest.approx(1)
    assert float(difference(one, one)) == 0
    assert float(difference(other.mean().expand(50), other)) == pytest.approx(1, abs=1e-5)


@pytest.mark.later
def test_what_cannot_be_asked_is_said() -> None:
    net = branching(4)
    shown = pictures(net, 3)
    for share in (0, 1.5):
        with pytest.raises(InputError, match="share of the kernels, above 0"):
            kernel_circuit(net, shown, "last:2", share)
    bare = Network(nn.Sequential(nn.ReLU(), nn.Conv2d(1, 2, 1)), Input(1, (4, 4)))
    with pytest.raises(ObjectiveError, match="no kernel"):
        kernel_circuit(bare, torch.rand(2, 1, 4, 4), "0:0")
    found = kernel_circuit(net, shown, "last:2")
    with pytest.raises(InputError, match="parts of 60 x 20"):
        learn_masks(found, shown, 4, size=(60, 20))
    with pytest.raises(InputError, match="correlation, difference"):
        learn_masks(found, shown, 4, by="cosine")
    with pytest.raises(InputError, match="0 steps"):
        learn_masks(found, shown, 0)
    dark = misleading()
    with pytest.raises(InputError, match="same value everywhere"):
        learn_masks(kernel_circuit(dark, pictures(dark), "2:0"), torch.zeros(2, 2, 6, 6), 4)
