"""The unit inside a rectified one is found by its values alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.network import Input, Network
from phosphene.units import Unit
from tiny import network, seeded


class Fire(nn.Module):
    """Two convolutions rectified beside each other, behind a stem; one unit never fires."""

    def __init__(self, rectify: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.ends = nn.ModuleDict({"one": nn.Conv2d(4, 3, 1), "three": nn.Conv2d(4, 5, 3, 1, 1)})
        self.rectify = rectify
        self.join = nn.Identity()
        with torch.no_grad():
            self.ends["three"].bias[2] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(self.norm(self.stem(x)))
        parts = [self.rectify(end(x)) for end in self.ends.values()]
        return self.join(torch.cat(parts, 1))


@pytest.mark.parametrize("rectify", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6()], ids=str)
def test_joined_branches_are_told_apart(rectify: nn.Module) -> None:
    net = Network(seeded(lambda: Fire(rectify)), Input(1, (10, 10)))
    found = [net.before_rectifier(Unit("join", index)) for index in range(8)]
    assert [str(unit) for unit in found] == [
        *(f"ends.one:{i}" for i in range(3)), *(f"ends.three:{i}" for i in range(5))
    ]  # fmt: skip
    assert str(net.before_rectifier(Unit("rectify@0", 2))) == "norm:2"
    assert str(net.before_rectifier(Unit("norm", 2))) == "norm:2"


def test_functional_rectifiers_are_found_where_a_layer_holds_what_they_rectify() -> None:
    net = network("residual")
    assert net.before_rectifier(Unit("relu@1", 2)) == Unit("bn1", 2)
    assert net.before_rectifier(Unit("relu@2", 2)) is None  # a sum, which no layer gives back
    dense = network("dense")
    assert dense.before_rectifier(Unit("2", 4)) == Unit("1", 4)


def test_a_place_stays_what_it_is() -> None:
    net = Network(seeded(lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())), Input(1, (6, 6)))
    assert net.before_rectifier(Unit("1", 2, 3, 1)) == Unit("0", 2, 3, 1)


def test_what_has_no_rectifier_of_its_own_has_nothing_inside() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool = nn.Conv2d(1, 3, 3), nn.AvgPool2d(2)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool(F.relu(self.conv(x)))

    net = Network(seeded(Pooled), Input(1, (6, 6)))
    assert net.before_rectifier(Unit("pool", 1)) is None


def test_what_has_weights_of_its_own_is_no_rectifier_whatever_it_answers() -> None:
    """min(1, a + b) and max(0, a + b - 1), made of the rectified values of two layers."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        module[1].weight.fill_(1.0)
        module[1].bias.copy_(torch.tensor([0.0, -1.0]))
        module[3].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 1.0]]))
        module[3].bias.zero_()
    net = Network(module, Input(1, (1, 2)))
    assert net.before_rectifier(Unit("3", 0)) == Unit("3", 0)
    assert net.before_rectifier(Unit("3", 1)) == Unit("3", 1)
    assert net.before_rectifier(Unit("2", 0)) == Unit("1", 0)
