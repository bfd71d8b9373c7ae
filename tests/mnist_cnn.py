"""A real network that somebody else trained on MNIST, for the tests that need one."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.network import Input, Network, load_weights


class MnistCnn(nn.Module):
    """The network of PyTorch's MNIST example, as it was until 2019."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), dim=1)


def trained(shared_data: Path, file: str = "mnist_cnn.safetensors") -> Network:
    """It, with the weights of `file` and the input it was trained on."""
    module = MnistCnn()
    load_weights(module, shared_data / "mnist_cnn" / file)
    return Network(module, Input(1, (28, 28), mean=0.1307, std=0.3081))
