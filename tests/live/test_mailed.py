"""A network as the operations that a page runs: the same answers, and refusals by name."""

import base64

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tiny
from live import mailable
from phosphene.errors import NetworkError
from phosphene.live.mailed.files import methods_of, network_of
from phosphene.live.mailed.interpreted import answers
from phosphene.live.mailed.program import Op, needed
from phosphene.live.mailed.traced import program_of
from phosphene.network import Input, Network

pytestmark = pytest.mark.later


@pytest.mark.parametrize("name", mailable.NAMES)
def test_a_program_answers_as_its_network(name: str) -> None:
    network = mailable.made(name)
    program, off = program_of(network)
    pictures = tiny.pictures(network, count=2, seed=7)
    recording = network.record(pictures)
    assert set(program.layers) == set(network.layers)
    assert 0 <= off < 1e-4
    for row, picture in enumerate(pictures):
        values = answers(program, picture)
        for layer, value in program.layers.items():
            expected = mailable.units_first(recording[layer])[row]
            torch.testing.assert_close(values[value], expected, rtol=1e-4, atol=1e-5)
        assert program.scores is not None
        scores = network.class_scores(pictures)[row]
        torch.testing.assert_close(values[program.scores], scores, rtol=1e-4, atol=1e-5)


def test_all_kinds_of_operation_are_tried() -> None:
    kinds = {op.kind for name in mailable.NAMES for op in program_of(mailable.made(name))[0].ops}
    assert kinds == {
        *("conv", "dense", "affine", "clip", "leaky", "point", "largest", "average"),
        *("same", "take", "pad", "move", "add", "times", "join", "softmax", "norm", "matmul"),
    }


class Choosing(nn.Module):
    """What it runs depends on the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.one(p) if float(p.mean()) > 0.5 else self.other(p) for p in x[:, None]]
        return torch.stack(found).flatten(1)


class Sorting(nn.Module):
    """Runs what no page does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).flatten(1).sort(1).values


class Overwriting(nn.Module):
    """Looks at a value in another shape, which is then written to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        seen = x.view(x.shape[0], -1)
        F.relu_(x)
        return seen + x.flatten(1)


class Places(nn.Module):
    """Where the largest number of a window is, is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x, places = F.max_pool2d(self.conv(x), 2, return_indices=True)
        return (x + places).flatten(1)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Choosing, r"aten\.\w+"),
        (Sorting, "aten.sort"),
        (Overwriting, "overwritten"),
        (Places, "no number"),
    ],
)
def test_what_no_page_runs_is_refused_by_name(kind: type[nn.Module], named: str) -> None:
    network = Network(tiny.seeded(kind).eval(), Input(1, (8, 8)))
    with pytest.raises(NetworkError, match=named):
        program_of(network)


def test_an_operation_that_is_known_otherwise_is_said_to_be_called_so() -> None:
    """A transposed convolution is a convolution to PyTorch."""
    with pytest.raises(NetworkError, match=r"aten\.convolution\.default, as it is called here,"):
        program_of(tiny.network("maps"))


def test_places_that_lie_evenly_are_told_in_short() -> None:
    ops = program_of(mailable.made("attending"))[0].ops
    lists = [op for op in ops if op.kind == "move" and "from" in op.settings]
    assert all(len(op.settings["from"]) == torch.Size(op.shape).numel() for op in lists)
    assert len(lists) < 6 < len([op for op in ops if op.kind == "move"])


def test_a_program_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network, kept = mailable.made("small"), answers

    def wrong(program, picture):
        values = kept(program, picture)
        values[-1] = values[-1] + 1e-2
        return values

    monkeypatch.setattr("phosphene.live.mailed.traced.answers", wrong)
    with pytest.raises(NetworkError, match="answers otherwise"):
        program_of(network)


def test_what_nothing_is_made_of_is_left_out() -> None:
    ops = tuple(Op("same", (takes,), (1,)) for takes in (0, 1, 1, 3))
    kept, names = needed(ops, {4})
    assert ([op.takes for op in kept], names) == ([(0,), (1,), (2,)], {0: 0, 1: 1, 3: 2, 4: 3})


def test_weights_are_told_as_they_are() -> None:
    network = mailable.made("small")
    told = network_of(network, program_of(network)[0])
    numbers = np.frombuffer(base64.b64decode(told["numbers"]), "<f4")
    dense = next(op for op in told["ops"] if op["kind"] == "dense")
    begin, end = dense["tensors"]["weight"]
    weight = dict(network.module.named_parameters())["8.weight"]
    assert np.array_equal(numbers[begin:end].reshape(3, 6), weight.detach().numpy())
    assert told["classes"] == ["cat", "dog", "naïve"]
    assert told["layers"]["2"]["before"] == [("1", unit) for unit in range(4)]
    assert told["layers"]["8"]["before"] is None


def test_methods_are_those_that_the_network_takes() -> None:
    plain = ["gradient", "gradient x input"]
    assert methods_of(mailable.made("small")) == [*plain, "deconvnet", "guided"]
    assert methods_of(mailable.made("everything")) == plain
