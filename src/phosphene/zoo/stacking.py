"""What the articles' networks have in common: convolutions with pooling, then dense layers."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from phosphene.errors import SettingError

KERNEL = 5


def stack(
    shape: tuple[int, int, int],
    classes: int,
    widths: Sequence[int],
    dense: Sequence[int],
    *,
    padding: int = 0,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Convolutions of 5x5, each with ReLU and max-pooling by 2, then dense layers, then logits.

    Layers are called `conv1`, `relu1`, `pool1`, …, `flatten`, `fc1`, …; ReLUs count on through the
    dense layers. `dropout` is the chance with which a feature is left out before the logits.

    Raises:
        SettingError: nothing is left of the picture before the last pooling.
    """
    channels, height, width = shape
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, out in enumerate(widths, 1):
        layers[f"conv{i}"] = nn.Conv2d(channels, out, kernel_size=KERNEL, padding=padding)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(2)
        lost = KERNEL - 1 - 2 * padding
        channels, height, width = out, (height - lost) // 2, (width - lost) // 2
        if min(height, width) < 1:
            unpadded = f"{len(widths)} unpadded convolutions of {KERNEL} x {KERNEL} and "
            raise SettingError(
                f"{unpadded if lost else ''}{len(widths)} poolings by 2 leave nothing of a picture "
                f"of {shape[1]} x {shape[2]}; give fewer convolutions or a larger picture"
            )
    layers["flatten"] = nn.Flatten()
    features = channels * height * width
    for i, out in enumerate(dense, 1):
        layers[f"fc{i}"] = nn.Linear(features, out)
        layers[f"relu{len(widths) + i}"] = nn.ReLU()
        features = out
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers[f"fc{len(dense) + 1}"] = nn.Linear(features, classes)
    return nn.Sequential(layers)


def initialise(module: nn.Module, weights: Callable[[Tensor], object], bias: float = 0.0) -> None:
    """Start all convolutions and dense layers; `weights` sets a tensor in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weights(layer.weight)
            nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
