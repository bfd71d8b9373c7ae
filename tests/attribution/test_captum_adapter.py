"""Captum under our objectives: equal to our own methods, and to slow references."""

import sys
import warnings

import captum.attr as captum_attr
import pytest
import torch
from torch import Tensor, nn

import modern
import tiny
from phosphene import Input, Network
from phosphene.attribution import captum, gradient, integrated_gradients
from phosphene.errors import InputError, SettingError, UnknownLayerError
from phosphene.objectives import Channel, Logit


@pytest.fixture
def net() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5 * 2 * 2, 3),
    )
    return Network(module.double(), Input(2, (8, 8), mean=(0.3, 0.5), std=(0.2, 0.4)))


@pytest.fixture
def some() -> Tensor:
    return torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(1)).double()


OBJECTIVES = [Logit(1), Logit((2, 0, 1)), Channel("3", 2) - 0.5 * Logit(0)]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_saliency_is_our_gradient(net: Network, some: Tensor, objective: object) -> None:
    before = {k: v.clone() for k, v in net.module.state_dict().items()}
    maps = captum(net, some, objective, "Saliency", abs=False)
    torch.testing.assert_close(maps, gradient(net, some, objective))
    assert all(torch.equal(v, before[k]) for k, v in net.module.state_dict().items())
    assert all(not m._forward_hooks and not m._backward_hooks for m in net.module.modules())
    assert all(p.requires_grad for p in net.module.parameters())


def test_integrated_gradients_are_ours(net: Network, some: Tensor) -> None:
    objective = Logit((2, 0, 1))
    maps = captum(net, some, objective, "IntegratedGradients", n_steps=50)
    torch.testing.assert_close(maps, integrated_gradients(net, some, objective, steps=50))


def test_occlusion_is_the_score_lost(net: Network, some: Tensor) -> None:
    objective = Logit((2, 0, 1))
    maps = captum(
        net, some, objective, "Occlusion", sliding_window_shapes=(2, 4, 4), strides=(2, 4, 4)
    )
    whole = objective(net.record(some, objective.layers))
    for top in (0, 4):
        for left in (0, 4):
            hidden = some.clone()
            hidden[:, :, top : top + 4, left : left + 4] = 0
            lost = whole - objective(net.record(hidden, objective.layers))
            block = maps[:, :, top : top + 4, left : left + 4]
            expected = lost.view(-1, 1, 1, 1).expand_as(block).detach()
            torch.testing.assert_close(block, expected, check_dtype=False, atol=1e-6, rtol=1e-5)


def test_grad_cam_is_its_formula_enlarged(net: Network, some: Tensor) -> None:
    maps = captum(net, some, Logit(1), "LayerGradCam", layer="3")
    values = net.record(some, ["3"])["3"].detach().requires_grad_()
    score = net.module[6](net.module[5](net.module[4](values)))[:, 1].sum()
    (slopes,) = torch.autograd.grad(score, values)
    cam = (slopes.mean((2, 3), keepdim=True) * values).sum(1, keepdim=True).detach()
    expected = nn.functional.interpolate(cam, (8, 8), mode="bilinear")
    torch.testing.assert_close(maps, expected)


def test_deep_lift_is_captums_own(net: Network, some: Tensor) -> None:
    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = net.module

        def forward(self, pictures: Tensor) -> Tensor:
            return self.module(net.input.normalise(pictures))

    maps = captum(net, some, Logit(2), "DeepLift", baselines=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its hooks
        plain = captum_attr.DeepLift(Normalised())
        expected = plain.attribute(some.clone().requires_grad_(), baselines=0.0, target=2)
    torch.testing.assert_close(maps, expected.detach())


def test_smoothing_without_noise_changes_nothing(net: Network, some: Tensor) -> None:
    smooth = {"nt_samples": 3, "stdevs": 0.0}
    maps = captum(net, some, Logit(1), "Saliency", abs=False, smooth=smooth)
    torch.testing.assert_close(maps, gradient(net, some, Logit(1)))


@pytest.mark.parametrize(
    ("method", "layer", "error", "said"),
    [
        ("GradCam", None, SettingError, r"no method 'GradCam'; .*GradCam"),
        ("LayerGradCam", None, SettingError, r"is about a layer; give layer"),
        ("Saliency", "3", SettingError, r"about the pictures; leave out layer='3'"),
        ("LayerGradCam", "33", UnknownLayerError, r"no layer '33'"),
        ("LayerActivation", "5", InputError, r"no maps; give a layer that has positions"),
    ],
)
def test_what_cannot_be_is_said(
    net: Network, method: str, layer: str | None, error: type[Exception], said: str
) -> None:
    some = torch.rand(1, 2, 8, 8).double()
    with pytest.raises(error, match=said):
        captum(net, some, Logit(1), method, layer=layer)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("blocks.0", r"tokens, channels last"),
        ("blocks.0[class]", r"tokens, channels last"),
        ("blocks.0.attention[0]", r"a part of what its module gives back"),
    ],
)
def test_layers_that_captum_reads_otherwise_are_refused(layer: str, said: str) -> None:
    vit = Network(tiny.seeded(modern.ViT), Input(3, (16, 16)))
    with pytest.raises(SettingError, match=said):
        captum(vit, tiny.pictures(vit), Logit(1), "LayerGradCam", layer=layer)


def test_pictures_outside_the_range_are_refused(net: Network, some: Tensor) -> None:
    with pytest.raises(InputError, match=r"expected \[0, 1\]"):
        captum(net, 255 * some, Logit(1), "Saliency")


def test_without_captum_the_remedy_is_named(
    net: Network, some: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(SettingError, match=r"pip install 'phosphene\[captum\]'"):
        captum(net, some, Logit(1), "Saliency")
