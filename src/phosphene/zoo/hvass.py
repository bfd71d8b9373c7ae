"""The network of Hvass Laboratories' TensorFlow tutorial 13-B, for any input and any widths."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from phosphene.errors import SpecError


def hvass(
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    widths: Sequence[int] = (16, 36),
    dense: Sequence[int] = (128,),
) -> nn.Sequential:
    """Convolutions of 5x5 'same', each with ReLU and max-pooling by 2, then dense layers.

    `widths` are the channels of the convolutions `conv1`, `conv2`, …; `dense` those of the
    hidden dense layers `fc1`, …; the last dense layer gives the logits.

    Raises:
        SpecError: more poolings than the picture has halvings.

    *Source:* Magnus Erik Hvass Pedersen, TensorFlow Tutorial 13-B, "Visual Analysis (MNIST)".
    Weights start Glorot-uniform and biases at zero, as `tf.layers` has them.

    >>> [name for name, _ in hvass().named_children() if name[-1].isdigit()]
    ['conv1', 'relu1', 'pool1', 'conv2', 'relu2', 'pool2', 'fc1', 'relu3', 'fc2']
    """
    channels, height, width = shape
    if min(height, width) >> len(widths) == 0:
        raise SpecError(
            f"{len(widths)} poolings by 2 leave nothing of a picture of {height} x {width}; "
            "give fewer convolutions or a larger picture"
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, out in enumerate(widths, 1):
        layers[f"conv{i}"] = nn.Conv2d(channels, out, kernel_size=5, padding=2)
        layers[f"relu{i}"] = nn.ReLU()
        layers[f"pool{i}"] = nn.MaxPool2d(2)
        channels, height, width = out, height // 2, width // 2
    layers["flatten"] = nn.Flatten()
    features = channels * height * width
    for i, out in enumerate(dense, 1):
        layers[f"fc{i}"] = nn.Linear(features, out)
        layers[f"relu{len(widths) + i}"] = nn.ReLU()
        features = out
    layers[f"fc{len(dense) + 1}"] = nn.Linear(features, classes)
    network = nn.Sequential(layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return network
