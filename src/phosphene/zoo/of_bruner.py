"""The two networks of Bruner's article: softmax regression, and convolutions with dropout."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from torch import nn

from phosphene.zoo.stacking import initialise, stack

DEVIATION = 0.1


def softmax_regression(shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> nn.Module:
    """One dense layer `fc1` from the pixels to the logits: z = W x + b, p = softmax(z).

    Each row of W, reshaped to `shape`, is a picture of what speaks for and against its class.

    *Source:* Bruner, "Interpretability of neural networks", after TensorFlow's "MNIST for ML
    beginners". Weights and biases start at zero.

    >>> softmax_regression((3, 8, 8), 5).fc1.weight.shape
    torch.Size([5, 192])
    """
    channels, height, width = shape
    dense = nn.Linear(channels * height * width, classes)
    network = nn.Sequential(OrderedDict(flatten=nn.Flatten(), fc1=dense))
    initialise(network, nn.init.zeros_)
    return network


def bruner(
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    widths: Sequence[int] = (32, 64),
    dense: Sequence[int] = (1024,),
) -> nn.Sequential:
    """Convolutions of 5x5 'same' with ReLU and max-pooling by 2, dense layers, dropout, logits.

    Raises:
        SettingError: more poolings than the picture has halvings.

    *Source:* Bruner, "Interpretability of neural networks", after TensorFlow's "Deep MNIST for
    experts": dropout keeps half; weights start normal with deviation 0.1, cut off at two
    deviations, and biases at 0.1.

    >>> [name for name, _ in bruner().named_children()][6:]
    ['flatten', 'fc1', 'relu3', 'dropout', 'fc2']
    """
    network = stack(shape, classes, widths, dense, padding=2, dropout=0.5)
    cut = 2 * DEVIATION
    weights = partial(nn.init.trunc_normal_, std=DEVIATION, a=-cut, b=cut)
    initialise(network, weights, bias=0.1)
    return network
