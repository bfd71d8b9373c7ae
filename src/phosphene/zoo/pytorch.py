"""The network of PyTorch's MNIST example, for any input and any widths."""

from collections import OrderedDict

from torch import nn

from phosphene.errors import SettingError


def pytorch_example(
    shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
    widths: tuple[int, int] = (32, 64),
    dense: int = 128,
) -> nn.Sequential:
    """Two convolutions of 3x3, max-pooling by 2, two dense layers and log-softmax, with dropout.

    The layers with weights are `conv1`, `conv2`, `fc1` and `fc2`, as in the example, so that a
    state_dict of either fits the other. The output is log p.

    Raises:
        SettingError: a picture smaller than 6 x 6.

    *Source:* `mnist/main.py` of the repository pytorch/examples; PyTorch's own initialisation.

    >>> sorted(pytorch_example().state_dict())[:4]
    ['conv1.bias', 'conv1.weight', 'conv2.bias', 'conv2.weight']
    """
    channels, height, width = shape
    if min(height, width) < 6:
        raise SettingError(
            f"two convolutions of 3x3 and a pooling by 2 leave nothing of a picture of "
            f"{height} x {width}; give at least 6 x 6"
        )
    first, second = widths
    pooled = second * ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 3),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(first, second, 3),
            relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            dropout1=nn.Dropout(0.25),
            flatten=nn.Flatten(),
            fc1=nn.Linear(pooled, dense),
            relu3=nn.ReLU(),
            dropout2=nn.Dropout(0.5),
            fc2=nn.Linear(dense, classes),
            log_softmax=nn.LogSoftmax(dim=1),
        )
    )
