"""Which layer gives the logits, where several give nearly the same."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.network import Input, Network

End = Callable[[Tensor], Tensor]


class TwoHeads(nn.Module):
    """The mean of two heads that know next to nothing, as LeViT has it with random weights."""

    def __init__(self, end: End) -> None:
        super().__init__()
        self.conv, self.end = nn.Conv2d(1, 6, 3), end
        self.head, self.distilled = nn.Linear(6, 1000), nn.Linear(6, 1000)
        for head in (self.head, self.distilled):
            nn.init.normal_(head.weight, 0, 1e-5)
            nn.init.normal_(head.bias, 0, 1e-5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).mean((2, 3))
        return self.end((self.head(x) + self.distilled(x)) / 2)


class OneHead(TwoHeads):
    """Both heads are there, one is given back."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).mean((2, 3))
        self.distilled(x)
        head = self.head(x)
        self.distilled(x)
        return self.end(head)


def by_hand(x: Tensor) -> Tensor:
    return x.exp() / x.exp().sum(1, keepdim=True)


ENDS: dict[str, End] = {
    "logits": lambda x: x,
    "softmax": lambda x: x.softmax(1),
    "softmax by hand": by_hand,
    "log-softmax": lambda x: x.log_softmax(1),
    "log-softmax by hand": lambda x: by_hand(x).log(),
}


def made(build: Callable[[], nn.Module]) -> Network:
    return Network(tiny.seeded(build).eval(), Input(1, (8, 8)))


@pytest.mark.parametrize("end", ENDS)
def test_the_mean_of_two_heads_is_neither(end: str) -> None:
    assert made(lambda: TwoHeads(ENDS[end])).logits.name == "output"


@pytest.mark.parametrize("end", ENDS)
def test_one_of_two_heads_that_give_nearly_the_same(end: str) -> None:
    assert made(lambda: OneHead(ENDS[end])).logits.name == "head"


class Headless(nn.Module):
    """Blocks that change next to nothing, each behind a norm, as DINOv2 has them at first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 16, 3), nn.LayerNorm(16)
        self.norms = nn.ModuleList([nn.LayerNorm(16) for _ in range(3)])
        self.blocks = nn.ModuleList([nn.Linear(16, 16) for _ in range(3)])
        self.head = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).mean((2, 3))
        for norm, block in zip(self.norms, self.blocks, strict=True):
            x = x + 1e-5 * block(norm(x))
        return self.head(self.last(x))


def test_the_features_of_a_headless_network_are_its_last_norms() -> None:
    assert made(Headless).logits.name == "last"


class Classes(nn.Module):
    """Two dense layers, and a softmax in single precision."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.fc1, self.fc2, self.scale = nn.Linear(64, 20), nn.Linear(20, 20), scale

    def forward(self, x: Tensor) -> Tensor:
        return (self.scale * self.fc2(self.fc1(x.flatten(1)))).float().softmax(1)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_softmax_is_seen_in_any_precision(kind: torch.dtype) -> None:
    assert made(lambda: Classes(1).to(kind)).logits.name == "fc2"
    assert made(lambda: Classes(1.01).to(kind)).logits.name == "output"


def test_a_network_that_answers_nan_still_has_logits() -> None:
    class Broken(Headless):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.nan

    assert made(Broken).logits.name == "output"
