"""One picture to which a network answers NaN or infinity spoils nothing, and is named."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import tiny
from phosphene.data import batches
from phosphene.errors import NetworkError
from phosphene.network import Input, Network
from phosphene.survey import Survey


class Standardised(nn.Module):
    """Divides by each picture's own deviation, which a blank one has not."""

    def __init__(self, spoil: str) -> None:
        super().__init__()
        self.conv, self.fc, self.spoil = nn.Conv2d(1, 5, 3), nn.Linear(5, 3), spoil
        self.last = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        spread = x.std((1, 2, 3), keepdim=True)
        if self.spoil == "nan":
            x = (x - x.mean((1, 2, 3), keepdim=True)) / spread
        x = self.conv(x)
        if self.spoil == "-inf":  # at one place of a map alone
            x = torch.cat([x[..., :1] + spread.log(), x[..., 1:]], dim=3)
        x = self.last(x)
        x = torch.relu(x).mean((2, 3))
        if self.spoil == "logits":
            x = x / spread.flatten(1)
        return self.fc(x)


def surveyed(spoil: str, pictures: Tensor, labels: Tensor, size: int) -> Survey:
    module = tiny.seeded(lambda: Standardised(spoil))
    survey = Survey(Network(module, Input(1, (8, 8))), ["last"], k=3)
    for batch in batches(TensorDataset(pictures, labels), size):
        survey.add(batch)
    return survey


@pytest.mark.parametrize("spoil", ["nan", "-inf", "logits"])
@pytest.mark.parametrize("size", [1, 4, 13])
def test_it_is_left_out_and_named(spoil: str, size: int) -> None:
    pictures = torch.rand(13, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(13) % 3
    others = torch.arange(13) != 7
    expected = surveyed(spoil, pictures[others], labels[others], 12)
    pictures[7] = 1.0
    found = surveyed(spoil, pictures, labels, size)
    assert found.count == 12
    [left_out] = found.skipped
    layer = "fc" if spoil == "logits" else "last"
    assert (left_out.path, layer in left_out.reason) == ("picture 7", True)
    one, other = found.layers["last"], expected.layers["last"]
    kept = other.top.images + (other.top.images >= 7)
    assert torch.equal(one.top.images, kept)
    torch.testing.assert_close(one.moments.mean, other.moments.mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(one.moments.scatter, other.moments.scatter, rtol=1e-4, atol=1e-5)
    assert torch.equal(one.firing, other.firing)
    assert found.predictions is not None
    assert expected.predictions is not None
    assert found.predictions.accuracy == expected.predictions.accuracy


def test_a_layer_that_never_answers_a_number_is_named() -> None:
    with pytest.raises(NetworkError, match=r"layer 'last' .* each of the first 4 .* --layers"):
        surveyed("nan", torch.ones(4, 1, 8, 8), torch.zeros(4, dtype=torch.long), 4)
