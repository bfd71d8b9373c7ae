"""Units changed for a block: values, classes and maps are those of a network built so."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import METHODS
from phosphene.circuits import target_of
from phosphene.errors import InputError, UnknownUnitError
from phosphene.network import Change, Network, changed
from phosphene.network.changing import Edit
from phosphene.objectives import Channel, Neuron
from phosphene.units import LOGITS, Unit

LEVEL = 0.25


def level(layer: str) -> Tensor:
    return torch.full((ENDS[layer],), LEVEL)


ENDS = {"conv1": 5, "conv2": 6, "fc1": 9, "fc2": 4, "block": 8, "relu@0": 6}


def rectified() -> Network:
    return tiny.rectified(nn.ReLU())


@contextmanager
def overwritten(module: nn.Module, path: str, call: int | None, edit: Any) -> Iterator[None]:
    """A hook of its own that writes into what a module gives back; slow, and only of one layer."""
    calls = 0

    def hook(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if call is not None and calls - 1 != call:
            return output
        return edit(output.clone())

    handle = module.get_submodule(path).register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def channels(changes: dict[int, tuple[str, float]], axis: int) -> Any:
    """Overwrites channels one by one."""
    keep = any(how == "keep" for how, _ in changes.values())

    def edit(output: Tensor) -> Tensor:
        for unit in range(output.shape[axis]):
            how, by = changes.get(unit, ("remove" if keep else "leave", 1.0))
            channel = output.select(axis, unit)
            if how == "remove":
                channel.fill_(LEVEL)
            elif how == "raise":
                channel.mul_(by)
        return output

    return edit


CASES = {
    "one removed": {1: ("remove", 2.0)},
    "two removed, one raised": {0: ("remove", 2.0), 3: ("remove", 2.0), 2: ("raise", 1.5)},
    "kept": {2: ("keep", 2.0)},
    "kept and raised": {2: ("keep", 2.0), 0: ("raise", 3.0)},
    "kept and removed": {2: ("keep", 2.0), 0: ("remove", 2.0)},
    "raised to nothing": {1: ("raise", 0.0)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("layer", "axis"), [("conv1", 1), ("fc1", 1)])
def test_values_are_those_of_a_hook_that_overwrites_channels(
    case: str, layer: str, axis: int
) -> None:
    network, changes = rectified(), CASES[case]
    pictures = tiny.pictures(network)
    module = network.module.eval()
    with overwritten(module, layer, None, channels(changes, axis)), torch.no_grad():
        expected = module(network.input.normalise(pictures))
    asked = [Change(Unit(layer, i), how, by) for i, (how, by) in changes.items()]
    plain = network.class_scores(pictures)
    with changed(network, asked, level) as there:
        assert torch.allclose(there.class_scores(pictures), expected, atol=1e-6)
    assert torch.equal(network.class_scores(pictures), plain)
    assert not any(m._forward_hooks for m in module.modules())


def test_layers_are_changed_together_and_a_single_call_of_a_module_alone() -> None:
    network = tiny.network("residual")
    pictures, module = tiny.pictures(network), network.module.eval()
    first, last = channels({1: ("remove", 1)}, 1), channels({0: ("raise", 2.0)}, 1)
    with (
        overwritten(module, "relu", 0, first),
        overwritten(module, "conv2", None, last),
        torch.no_grad(),
    ):
        expected = module(network.input.normalise(pictures))
    asked = [Change(Unit("relu@0", 1), "remove"), Change(Unit("conv2", 0), "raise")]
    with changed(network, asked, level) as there:
        assert torch.allclose(there.record(pictures, [LOGITS])[LOGITS], expected, atol=1e-5)


def test_tokens_are_changed_by_their_features() -> None:
    network = tiny.network("tokens")
    pictures, module = tiny.pictures(network), network.module.eval()
    with overwritten(module, "block", None, channels({3: ("remove", 1)}, 2)), torch.no_grad():
        expected = module(network.input.normalise(pictures))
    with changed(network, [Change(Unit("block", 3), "remove")], level) as there:
        assert torch.allclose(there.probabilities(pictures), expected, atol=1e-6)


def rebuilt(network: Network, removed: int, raised: int) -> Network:
    """The same with other weights: a unit that is always the level, another twice as strong."""
    module = deepcopy(network.module)
    with torch.no_grad():
        conv = module.conv1
        conv.weight[removed], conv.bias[removed] = 0, LEVEL
        conv.weight[raised] *= 2
        conv.bias[raised] *= 2
    return Network(module, network.input)


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_those_of_a_network_built_so(method: str) -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    other = rebuilt(network, 1, 2)
    asked = [Change(Unit("conv1", 1), "remove"), Change(Unit("conv1", 2), "raise", 2)]
    for term in (Channel("fc2", 1), Neuron("conv2", 3, 1, 1)):
        expected = METHODS[method](other, pictures, term)
        with changed(network, asked, level) as there:
            assert torch.allclose(METHODS[method](there, pictures, term), expected, atol=1e-5)


def test_what_is_learnt_of_a_changed_network_is_forgotten() -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    expected = target_of(rectified(), pictures, "rectify@1:2")
    asked = [Change(Unit("conv2", i), "remove") for i in range(6)]
    with changed(network, asked, level) as there:
        target_of(there, pictures, "rectify@1:2")
        there.pieces("conv2")
    assert target_of(network, pictures, "rectify@1:2") == expected
    assert not network._before or network.before_rectifier(Unit("rectify@1", 2)) is not None
    assert not network._pieces


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (lambda: [Change(Unit("conv1", 9), "remove")], UnknownUnitError, "conv1"),
        (lambda: [Change(Unit("conv1", 0), "remove")] * 2, InputError, "twice"),
        (lambda: [Change(Unit("conv1", 0, 1, 1), "remove")], InputError, "single place"),
        (lambda: [Change(Unit("conv1", 0), "rais")], InputError, "raise"),
        (lambda: [Change(Unit("conv1", 0), "raise", float("nan"))], InputError, "number"),
    ],
)
def test_what_cannot_be_done_is_refused(changes: Any, error: type[Exception], words: str) -> None:
    network = rectified()
    with pytest.raises(error, match=words), changed(network, changes(), level):
        pass
    assert not any(m._forward_hooks for m in network.module.modules())


def test_a_baseline_has_a_number_for_each_unit() -> None:
    asked = [Change(Unit("conv1", 0), "remove")]
    with (
        pytest.raises(InputError, match="5 units"),
        changed(rectified(), asked, lambda _: torch.zeros(3)),
    ):
        pass


def test_numbers_of_half_precision_stay_so() -> None:
    edit = Edit(torch.tensor([0.0, 3.0]), torch.tensor([0.5, 0.0]))
    found = edit(torch.ones(1, 2, 1, 1, dtype=torch.half))
    assert found.dtype == torch.half
    assert found.flatten().tolist() == [0.5, 3.0]
