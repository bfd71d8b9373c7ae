"""Networks of every operation that a mailed page runs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network


class Everything(nn.Module):
    """Branches, gates, borders and poolings of all kinds, called in all ways."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(1, 2))
        self.norm = nn.BatchNorm2d(8)
        self.six = nn.ReLU6(inplace=True)
        self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4, bias=False)
        self.squeeze = nn.Conv2d(8, 8, 1)
        self.pool = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 2, padding=1)
        self.apart = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.last = nn.Conv2d(16, 6, 3, stride=2)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.six(self.norm(self.first(x)))
        gate = torch.sigmoid(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
        x = x * gate + F.silu(self.grouped(x))
        x = torch.cat([self.pool(x), self.mean(F.leaky_relu(x, 0.1))], 1)
        x = self.last(F.pad(F.hardswish(x) - x.clamp(-0.2, 0.3), (1, 2, 0, 1)))
        x = F.adaptive_avg_pool2d(torch.tanh(2 - x / 3), (2, 2))
        return F.log_softmax(self.fc(self.dropout(torch.flatten(x, 1))), dim=1)


class Small(nn.Sequential):
    """What rectifies after a convolution, a norm and a sum."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
            nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(6, 3),
        )  # fmt: skip


def made(name: str) -> Network:
    """A network by its name."""
    if name == "everything":
        input = Input(3, (15, 22), mean=(104, 117, 123), std=58, value_range=(0, 255), order="bgr")
        return Network(tiny.seeded(Everything).eval(), input)
    if name == "small":
        return Network(tiny.seeded(Small).eval(), Input(3, (9, 9)), ("cat", "dog", "naïve"))
    if name == "two-sided":
        module = nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.ReLU(), nn.Linear(4, 1))
        module = tiny.seeded(lambda: module)
        return Network(module.eval(), Input(3, (4, 4)), ("no", "yes"), task="binary")
    return tiny.network(name)


NAMES = ("everything", "small", "two-sided", "residual", "functional", "dense")
