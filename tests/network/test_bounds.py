"""Receptive fields that are larger than the picture, wrap around it, or are only a bound."""

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network


class OneSided(nn.Module):
    """Padding on the right and below alone, as TensorFlow pads: steps of two, again and again."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, 1, 3, 2) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = conv(nn.functional.pad(x, (0, 1, 0, 1)))
        return x


def field_of(depth: int) -> int:
    return 2 ** (depth + 1) - 1


@pytest.mark.later
def test_a_field_larger_than_the_picture_is_measured_beyond_it() -> None:
    network = Network(tiny.seeded(lambda: OneSided(5)), Input(1, (40, 40)))
    sizes = {depth: network.fields[f"convs.{depth - 1}"] for depth in range(1, 6)}
    assert {d: f.size for d, f in sizes.items()} == {d: (field_of(d),) * 2 for d in sizes}
    assert not any(field.bound for field in sizes.values())


def test_a_field_that_no_picture_shows_is_at_least_what_is_seen() -> None:
    class Fixed(nn.Module):
        """Takes pictures of one size alone."""

        def __init__(self) -> None:
            super().__init__()
            self.convs = OneSided(5)
            self.places = nn.Parameter(torch.zeros(1, 1, 40, 40))

        def forward(self, x: Tensor) -> Tensor:
            return self.convs(x + self.places)

    network = Network(tiny.seeded(Fixed), Input(1, (40, 40)))
    assert str(network.fields["convs.convs.1"]) == "7 x 7"
    assert str(network.fields["convs.convs.3"]) == "at least 31 x 31"
    assert str(network.fields["convs.convs.4"]) == "whole picture"


def seen_rows(module: nn.Module, size: int) -> Tensor:
    """Which rows of the output change with each row of a picture."""
    x = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        base = module(x)
        rows = []
        for row in range(size):
            changed = x.clone()
            changed[:, :, row] += 1
            rows.append((module(changed) != base).any(3).any(1)[0])
    return torch.stack(rows, 1)


@pytest.mark.later
def test_boxes_hold_all_that_is_seen_whatever_the_padding() -> None:
    for mode in ("zeros", "reflect", "replicate", "circular"):
        conv = tiny.seeded(lambda mode=mode: nn.Conv2d(1, 2, 5, padding=2, padding_mode=mode))
        network = Network(nn.Sequential(conv, nn.Flatten()), Input(1, (20, 20)))
        field = network.fields["0"]
        assert (field.size, field.bound) == ((5, 5), ""), mode
        for y, seen in enumerate(seen_rows(conv, 20)):
            top, _, bottom, _ = field.box(y, 10)
            assert all(top <= row < bottom for row in seen.nonzero().flatten().tolist()), (mode, y)


class Unpooled(nn.Module):
    """Back to the place of the largest: which that is, a whole window decides."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.back = nn.MaxPool2d(4, return_indices=True), nn.MaxUnpool2d(4)
        self.conv = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.back(*self.pool(x)))


class Gated(nn.Module):
    """One branch decides by comparing what the other gives on."""

    def __init__(self, times: bool = False) -> None:
        super().__init__()
        self.times = times
        self.near, self.far = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 2, 9, padding=4)
        self.end = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        near, far = self.near(x), self.far(x)
        return self.end(near * (far > 0) if self.times else torch.where(far > 0, near, 0.0))


@pytest.mark.later
def test_behind_decisions_by_value_the_field_is_a_bound() -> None:
    unpooled = Network(tiny.seeded(Unpooled), Input(1, (32, 32))).fields
    assert unpooled["conv"].bound == "at least"
    fields = Network(tiny.seeded(Gated), Input(1, (32, 32))).fields
    assert (str(fields["near"]), str(fields["far"])) == ("3 x 3", "9 x 9")
    assert str(fields["end"]) == "at most whole picture"  # where NaN > 0 is False everywhere
    masked = Network(tiny.seeded(lambda: Gated(times=True)), Input(1, (32, 32))).fields
    assert str(masked["end"]) == "at least 3 x 3"
