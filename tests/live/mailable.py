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
        self.each = nn.Conv2d(8, 8, (3, 2), stride=(1, 1), padding=(1, 0), groups=8)
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
        x = x + F.pad(self.each(x), (1, 0))
        x = torch.cat([self.pool(x), self.mean(F.leaky_relu(x, 0.1))], 1)
        x = self.last(F.pad(F.hardswish(x) - x.clamp(-0.2, 0.3), (1, 2, 0, 1)))
        x = F.adaptive_avg_pool2d(torch.tanh(2 - x / 3), (2, 2))
        return F.log_softmax(self.fc(self.dropout(torch.flatten(x, 1))), dim=1)


class Attending(nn.Module):
    """Tokens with one of their own before them, which look at each other in all ways."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.groups = nn.GroupNorm(2, 8)
        self.first = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(0.3 * torch.randn(1, 13, 8))
        self.bias = nn.Parameter(0.3 * torch.randn(2, 13, 13))
        self.mixed = nn.Parameter(torch.randn(8, 8))
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm((13, 8))
        self.three, self.other = nn.Linear(8, 24), nn.Linear(8, 24, bias=False)
        self.wide, self.narrow = nn.Linear(8, 12), nn.Linear(12, 8)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.groups(self.patches(x))
        x = x + F.interpolate(F.mish(x[:, :, ::2, 1:2]), x.shape[2:])
        x = F.pad(torch.roll(x, (1, 2), (2, 3)), (-1, 1, 0, 0, 0, 1))[:, 1:]
        x = x.flatten(2).transpose(1, 2) @ self.mixed
        x = torch.cat([self.first.expand(len(x), -1, -1), x], dim=1) + self.places
        q, k, v = self._heads(self.three, self.norm1(x)).unbind(0)
        x = x + F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        seen = torch.ones(13, 13, dtype=torch.bool).tril()
        x = x + F.scaled_dot_product_attention(k, q, v, seen, scale=0.3).mean(1).repeat(1, 1, 2)
        q, k, v = self._heads(self.other, self.norm2(x)).unbind(0)
        shares = (q @ k.transpose(-2, -1) * 0.4 + self.bias).softmax(-1)
        x = x + (shares @ v).transpose(1, 2).reshape(x.shape)
        one, two = F.gelu(self.wide(x)).split(6, dim=-1)
        x = x + self.narrow(torch.cat([one, two], dim=-1))
        x = x + F.gelu(x.mean(1, keepdim=True), approximate="tanh") + F.softplus(x[:, :1]).exp()
        x = torch.addcmul(x, self.bias[0, :, :8], x.flip(1))
        x = torch.stack([x, x.flip(2)], dim=2).mean(2)
        return self.head(torch.cat([x[:, 0], x[:, 1:].mean(1)], 1))

    def _heads(self, layer: nn.Module, x: Tensor) -> Tensor:
        return layer(x).reshape(*x.shape[:2], 3, 2, 4).permute(2, 0, 3, 1, 4)


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
    if name == "attending":
        return Network(tiny.seeded(Attending).eval(), Input(3, (16, 12), mean=0.5, std=0.25))
    if name == "lens":
        directions = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
        return made("small").with_lens("along", "2", directions)
    return tiny.network(name)


def units_first(recorded: Tensor) -> Tensor:
    """Values of a layer as a page has them: sequences `b t d` as maps of each unit, `b d 1 t`."""
    return recorded.transpose(1, 2)[:, :, None] if recorded.ndim == 3 else recorded


NAMES = (
    *("everything", "small", "two-sided", "residual", "functional", "dense"),
    *("attending", "tokens", "rectified", "lens"),
)
