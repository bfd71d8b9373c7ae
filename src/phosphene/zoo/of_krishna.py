"""The two-class network of Krishna's article, for any input and any number of classes."""

from collections.abc import Sequence
from functools import partial

from torch import nn

from phosphene.zoo.stacking import initialise, stack


def krishna(
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 2,
    widths: Sequence[int] = (20, 50),
    dense: Sequence[int] = (256,),
) -> nn.Sequential:
    """Convolutions of 5x5 without padding, each with ReLU and max-pooling by 2, then dense layers.

    The last layer gives logits; the article's softmax is taken by the loss and by `Network`.

    Raises:
        SettingError: nothing is left of the picture before the last pooling.

    *Source:* Krishna, "What does your neural network really look for?" (2016). Weights start
    Glorot-uniform with ReLU gain √2, biases at zero.

    >>> [tuple(p.shape) for name, p in krishna().named_parameters() if name.endswith("weight")]
    [(20, 1, 5, 5), (50, 20, 5, 5), (256, 800), (2, 256)]
    """
    network = stack(shape, classes, widths, dense)
    initialise(network, partial(nn.init.xavier_uniform_, gain=nn.init.calculate_gain("relu")))
    return network
