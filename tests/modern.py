"""Small networks in the manner of large ones: how they pass values on, not how well they see."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Encoder(nn.Module):
    """A transformer's block: attention gives back a tuple, activations are GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 12), nn.GELU(), nn.Linear(12, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y)[0]
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Patches in a row behind `leading` tokens of their own; the first of them is read out."""

    def __init__(self, leading: int = 1, blocks: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.tokens = nn.Parameter(torch.randn(1, leading, 8))
        self.places = nn.Dropout(0.1)
        self.blocks = nn.Sequential(*[Encoder(8) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.places(torch.cat([self.tokens.expand(len(x), -1, -1), x], 1))
        return self.head(self.norm(self.blocks(x))[:, 0])


class Shifted(nn.Module):
    """A Swin block without its windows: rows and columns first, channels last."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.inner, self.outer = (
            nn.LayerNorm(width),
            nn.Linear(width, 10),
            nn.Linear(10, width),
        )
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.act(self.inner(self.norm(x))))


class Merge(nn.Module):
    """Four neighbours become one position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduce(self.norm(torch.cat(parts, -1)))


class Permute(nn.Module):
    """Channels to the end."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class Swin(nn.Module):
    """Channels last from the patches to the head."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 6, 2, 2), Permute(), nn.LayerNorm(6)),
            nn.Sequential(Shifted(6), Shifted(6)),
            Merge(6),
            nn.Sequential(Shifted(12)),
        )
        self.norm, self.head = nn.LayerNorm(12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.features(x)).mean((1, 2)))


class Outputs(NamedTuple):
    """What `Inception` gives back."""

    logits: Tensor
    aux: Tensor


class Windows(nn.Module):
    """Dense mixing of the positions in a window; a grid of one window is not cut, as in TinyViT.

    With `fitting` the windows of a small grid are made as small as it is for good, as those of
    transformers' Swin are; otherwise the grid is padded to whole windows.
    """

    def __init__(self, window: int, fitting: bool) -> None:
        super().__init__()
        self.window, self.fitting = window, fitting
        self.conv, self.mix = nn.Conv2d(3, 4, 2, 2), nn.MultiheadAttention(4, 2, batch_first=True)
        self.merged, self.head = nn.Identity(), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.fitting:
            self.window = min(self.window, *x.shape[2:])
        height, width = x.shape[2:]
        bottom, right = -height % self.window, -width % self.window
        x = F.pad(x, (0, right, 0, bottom)).unfold(2, self.window, self.window)
        x = x.unfold(3, self.window, self.window)  # b c rows columns window window
        b, _, rows, columns = x.shape[:4]
        x = x.permute(0, 2, 3, 4, 5, 1).flatten(3, 4).flatten(0, 2)
        x = self.mix(x, x, x)[0]
        x = x.view(b, rows, columns, self.window, self.window, 4).permute(0, 5, 1, 3, 2, 4)
        x = x.flatten(4).flatten(2, 3)[:, :, :height, :width]
        return self.head(self.merged(x).mean((2, 3)))


class Inception(nn.Module):
    """Branches that are joined; a second head; both heads' scores in a named tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.branch1, self.branch2 = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 6, 3, padding=1)
        self.aux, self.head = nn.Linear(10, 5), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Outputs:
        x = torch.cat([F.relu(self.branch1(x)), F.relu(self.branch2(x))], 1).mean((2, 3))
        return Outputs(self.head(x), self.aux(x - 1))


class Pyramid(nn.Module):
    """A backbone that gives back a dictionary, with what is no tensor in it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, 2, 1)

    def forward(self, x: Tensor) -> dict[str, object]:
        x = self.conv1(x)
        return {"low": x, "high": [self.conv2(x.relu())], "masks": None, "scale": 2}


class Detector(nn.Module):
    """Takes two inputs from a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Pyramid()
        self.join = nn.Bilinear(4, 6, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = self.backbone(x)
        return {"scores": self.join(found["low"].mean((2, 3)), found["high"][0].mean((2, 3)))}


class Squeeze(nn.Module):
    """Squeeze-and-excitation: each channel weighed by what the whole picture holds."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(self.pool(x)))))


class Mobile(nn.Module):
    """Depthwise, grouped and pointwise convolutions, then squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1),
            nn.Hardswish(),
            nn.Conv2d(4, 4, 3, 1, 1, groups=4),
            nn.ReLU6(),
            nn.Conv2d(4, 8, 1),
            nn.Conv2d(8, 8, 3, 1, 1, groups=2),
            Squeeze(8),
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))
