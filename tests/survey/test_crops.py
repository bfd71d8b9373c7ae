"""What a position sees, also where its field reaches beyond the picture."""

import pytest
import torch
from torch import Tensor, nn

from phosphene.network import Input, Network
from phosphene.survey import crop, responses, seen_from


class Tokens(nn.Module):
    """Maps as tokens `b t d`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


@pytest.fixture(scope="module")
def network() -> Network:
    module = nn.Sequential()
    module.add_module("conv", nn.Conv2d(1, 2, 5, padding=2))
    module.add_module("stride", nn.Conv2d(2, 3, 3, stride=2, padding=1))
    module.add_module("tokens", Tokens())
    module.add_module("flat", nn.Flatten())
    module.add_module("fc", nn.Linear(3 * 6 * 5, 2))
    return Network(module, Input(1, (12, 10)))


def numbered(height: int, width: int) -> Tensor:
    """Each pixel holds 1 + its number, so that zero can only come from outside."""
    return torch.arange(1.0, height * width + 1).view(1, 1, height, width)


def test_boxes_in_the_middle_and_at_the_borders(network: Network) -> None:
    layer, field = network.layer("conv"), network.fields["conv"]
    assert field.size == (5, 5)
    for y, x in [(6, 5), (0, 0), (0, 9), (11, 0), (11, 9), (1, 8), (5, 0)]:
        assert seen_from(layer, field, y * 10 + x) == (y - 2, x - 2, y + 3, x + 3)


def test_crops_are_what_the_position_sees(network: Network) -> None:
    picture = numbered(12, 10)
    layer, field = network.layer("conv"), network.fields["conv"]
    for outside in (0.0, -7.0):
        padded = nn.functional.pad(picture, (2, 2, 2, 2), value=outside)[0]
        for place in range(120):
            y, x = divmod(place, 10)
            (cut,) = crop(picture, [seen_from(layer, field, place)], outside)
            assert torch.equal(cut, padded[:, y : y + 5, x : x + 5])


def test_a_change_outside_the_box_changes_nothing(network: Network) -> None:
    layer, field = network.layer("stride"), network.fields["stride"]
    assert layer.shape == (3, 6, 5)
    picture = torch.rand(1, 1, 12, 10)
    before = network.record(picture, ["stride"])["stride"].detach()
    for place in range(30):
        top, left, bottom, right = seen_from(layer, field, place)
        inside = torch.zeros(12, 10, dtype=torch.bool)
        inside[max(0, top) : bottom, max(0, left) : right] = True
        after = network.record(torch.where(inside, picture, 1 - picture), ["stride"])["stride"]
        assert torch.equal(after.flatten(2)[0, :, place], before.flatten(2)[0, :, place])
        assert (bottom - top, right - left) == field.size


def test_dense_layers_see_everything_and_tokens_their_own(network: Network) -> None:
    assert seen_from(network.layer("fc"), network.fields["fc"], 0) == (0, 0, 12, 10)
    tokens, field = network.layer("tokens"), network.fields["tokens"]
    for place in (0, 7, 29):
        y, x = (2 * i for i in divmod(place, 5))  # 7 pixels, stride 2
        assert seen_from(tokens, field, place) == (y - 3, x - 3, y + 4, x + 4)


def test_each_picture_has_its_own_box() -> None:
    pictures = torch.cat([numbered(4, 4), -numbered(4, 4)])
    one, other = crop(pictures, [(0, 0, 2, 3), (-1, 2, 1, 6)])
    assert one.tolist() == [[[1, 2, 3], [5, 6, 7]]]
    assert other.tolist() == [[[0, 0, 0, 0], [-3, -4, 0, 0]]]
    with pytest.raises(ValueError, match="zip"):
        crop(pictures, [(0, 0, 1, 1)])


def test_responses_are_the_first_largest_value() -> None:
    maps = torch.zeros(2, 2, 3, 4)
    maps[0, 0, 1, 2] = maps[0, 0, 2, 3] = 5
    maps[1, 1] = -1
    maps[1, 1, 2, 0] = -0.5
    found = responses(maps)
    assert found.values.tolist() == [[5, 0], [0, -0.5]]
    pairs = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    assert found.places(*pairs).tolist() == [6, 0, 0, 8]
    tokens = torch.zeros(1, 4, 2)
    tokens[0, 3, 1] = 2
    assert responses(tokens).places(*(one[:2] for one in pairs)).tolist() == [0, 3]
    dense = responses(torch.tensor([[-1.0, 2.0]]))
    assert dense.values.tolist() == [[-1, 2]]
    assert dense.places(*(one[:2] for one in pairs)).tolist() == [0, 0]
