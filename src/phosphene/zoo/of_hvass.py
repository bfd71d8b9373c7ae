"""The network of Hvass Laboratories' TensorFlow tutorial 13-B, for any input and any widths."""

from collections.abc import Sequence

from torch import nn

from phosphene.zoo.stacking import initialise, stack


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
        SettingError: more poolings than the picture has halvings.

    *Source:* Magnus Erik Hvass Pedersen, TensorFlow Tutorial 13-B, "Visual Analysis (MNIST)".
    Weights start Glorot-uniform and biases at zero, as `tf.layers` has them.

    >>> [name for name, _ in hvass().named_children() if name[-1].isdigit()]
    ['conv1', 'relu1', 'pool1', 'conv2', 'relu2', 'pool2', 'fc1', 'relu3', 'fc2']
    """
    network = stack(shape, classes, widths, dense, padding=2)
    initialise(network, nn.init.xavier_uniform_)
    return network
