"""Attribution methods by name: ours, Captum's with settings, and what is none."""

import re
import sys

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import METHODS, called, captum, method
from phosphene.errors import RectifierError, SettingError
from phosphene.network import Input, Network
from phosphene.objectives import Channel, Logit


@pytest.fixture
def net() -> Network:
    module = tiny.seeded(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    )
    return Network(module, Input(3, (8, 8), mean=0.4, std=0.3))


@pytest.fixture
def some() -> Tensor:
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", METHODS)
def test_ours_by_their_names(name: str) -> None:
    assert method(name) is METHODS[name]
    assert method(name.replace(" ", "-").title()) is METHODS[name]


@pytest.mark.parametrize("name", ["lrp-epsilon", "lrp-z+", "relp"])
def test_relevance_by_its_name_sums_to_the_score(name: str) -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.ReLU(), nn.Flatten(),
                             nn.Linear(4 * 36, 3, bias=False))  # fmt: skip

    net = Network(tiny.seeded(build), Input(1, (8, 8), mean=0.4, std=0.3))
    some = tiny.pictures(net)
    maps = method(name)(net, some, Logit(1))
    scores = net.class_scores(some)[:, 1]
    torch.testing.assert_close(maps.flatten(1).sum(1), scores, rtol=1e-3, atol=1e-5)


def test_relevance_that_a_network_does_not_allow_is_refused_by_the_rules_name() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Flatten())
    net = Network(tiny.seeded(lambda: module), Input(1, (8, 8)))
    assert method("relp")(net, tiny.pictures(net), Channel("2", 0)).isfinite().all()
    for name, rule in (("lrp-epsilon", "epsilon 1e-06"), ("lrp-z+", "z+")):
        with pytest.raises(RectifierError, match=rf"the rule '{re.escape(rule)}' shares"):
            method(name)(net, tiny.pictures(net), Channel("2", 0))


def test_captums_with_settings_as_in_python(net: Network, some: Tensor) -> None:
    asked = method("captum:Occlusion(sliding_window_shapes=(3, 4, 4), strides=(3, 4, 4))")
    settings = {"sliding_window_shapes": (3, 4, 4), "strides": (3, 4, 4)}
    expected = captum(net, some, Logit(1), "Occlusion", **settings)
    assert torch.equal(asked(net, some, Logit(1)), expected)
    trapezoids = method('captum:IntegratedGradients(n_steps=8, method="riemann_trapezoid")')
    assert not torch.allclose(
        trapezoids(net, some, Logit(1)),
        method("captum:IntegratedGradients(n_steps=8)")(net, some, Logit(1)),
        rtol=0,
        atol=1e-7,
    )
    cam = method('captum:LayerGradCam(layer="0")')(net, some, Logit(1))
    assert torch.equal(cam, captum(net, some, Logit(1), "LayerGradCam", layer="0"))


def test_occlusion_needs_no_settings(net: Network, some: Tensor) -> None:
    assert called("captum:Occlusion") == "Captum’s Occlusion"
    maps = method("captum:Occlusion")(net, some, Logit(1))
    for y in range(8):
        hidden = some.clone()
        hidden[:, :, y, 3] = 0
        scores = [Channel("3", 1)(net.record(p, ["3"])) for p in (some, hidden)]
        lost = (scores[0] - scores[1]).detach()
        torch.testing.assert_close(maps[:, 0, y, 3], lost, check_dtype=False, atol=1e-5, rtol=1e-4)


def test_chance_is_the_same_each_time_and_stays_in_there(net: Network, some: Tensor) -> None:
    asked = method('captum:Saliency(abs=False, smooth={"nt_samples": 4, "stdevs": 0.2})')
    first = asked(net, some, Logit(1))
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    assert torch.equal(asked(net, some, Logit(1)), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.allclose(first, method("captum:Saliency(abs=False)")(net, some, Logit(1)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("guidde", r"no attribution method 'guidde'; nearest: guided; .*captum:Occlusion"),
        ("captum:Oclusion", r"no method 'Oclusion'; nearest: Occlusion"),
        ("captum:Attribution", r"no method 'Attribution'"),
        ("captum:Occlusion(stride=3)", r"no setting 'stride'; nearest: strides"),
        ("captum:LayerGradCam", r"is about a layer; give layer"),
        ("captum:GradientShap", r"needs baselines"),
        ("captum:Occlusion(3)", r"cannot be read; expected a name of Captum's"),
        ("captum:Occlusion(strides=open)", r"cannot be read"),
        ("captum:", r"cannot be read"),
    ],
)
def test_what_is_no_method_is_said_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        method(name)


def test_what_captum_refuses_is_said(net: Network, some: Tensor) -> None:
    windows = method("captum:Occlusion(sliding_window_shapes=(3, 4))")
    with pytest.raises(SettingError, match=r"Captum's Occlusion refuses with .*\(3, 4\)"):
        windows(net, some, Logit(1))
    behind = method('captum:LayerGradCam(layer="1")')
    with pytest.raises(SettingError, match=r"does not depend on the layer .* comes before it"):
        behind(net, some, Channel("0", 1))


def test_without_captum_its_methods_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(SettingError, match=r"pip install 'phosphene\[captum\]'"):
        method("captum:Occlusion")
