"""What a module sets on itself for pictures of another size does not outlast them."""

import pytest
import torch
from torch import nn

import modern
import tiny
from phosphene.errors import SizeError
from phosphene.network import Input, Network, guess_input
from phosphene.network.settings import kept_settings


@pytest.fixture
def fitting() -> Network:
    """Windows of 8 on a grid of 16, for good made smaller by pictures of less than 16 pixels."""
    return Network(tiny.seeded(lambda: modern.Windows(8, fitting=True)), Input(3, (32, 32)))


@pytest.mark.later
def test_fields_leave_windows_as_they_were(fitting: Network) -> None:
    fields = fitting.fields
    assert fitting.module.window == 8
    assert fields["conv"].size == (2, 2)
    assert fields["merged"].size == (16, 16)
    assert fields["merged"].rows[7] == (0, 15)
    assert fields["merged"].rows[8] == (16, 31)


@pytest.mark.later
def test_patches_and_small_pictures_leave_windows_as_they_were(fitting: Network) -> None:
    assert [fitting.patch(name).size for name in ("conv", "merged")] == [(2, 2), (16, 16)]
    fitting.record(torch.rand(1, 3, 8, 8), ["merged"])
    assert fitting.module.window == 8


@pytest.mark.slow
def test_trying_sizes_leaves_windows_as_they_were() -> None:
    class Square(modern.Windows):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mixed = super().forward(x)
            return mixed + x.view(len(x), 3, 32, 32)[:, :1, 0, 0]

    module = Square(20, fitting=True)
    assert guess_input(module).size == (32, 32)
    assert module.window == 20


def test_a_size_that_is_cut_into_windows_is_refused_for_what_is_inside_them() -> None:
    module = tiny.seeded(lambda: modern.Windows(16, fitting=False))
    network = Network(module, Input(3, (32, 32)))
    larger = torch.rand(1, 3, 64, 64)
    assert network.record(larger, ["merged"])["merged"].shape == (1, 4, 32, 32)
    with pytest.raises(SizeError, match=r"64 x 64 layers \['mix\[0\]'\].* own size 32 x 32"):
        network.record(larger, ["mix[0]"])


def test_only_plain_attributes_are_put_back() -> None:
    module = nn.Sequential(modern.Permute())
    module[0].places, module[0].named = (1, 2), False
    module[0].seen = seen = torch.zeros(1)
    with kept_settings(module):
        module[0].places, module[0].named = (3,), True
        module[0].seen = kept = seen + 1
        module[0].new = 5
    assert (module[0].places, module[0].named) == ((1, 2), False)
    assert module[0].seen is kept
    assert module[0].new == 5


def test_an_attribute_that_was_removed_comes_back_after_an_exception() -> None:
    module = modern.Windows(8, fitting=True)
    with pytest.raises(ZeroDivisionError), kept_settings(module):  # noqa: PT012
        del module.window
        1 / 0  # noqa: B018
    assert module.window == 8
