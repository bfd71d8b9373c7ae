"""MACO as it comes, on a network trained by somebody else: are its digits digits?"""

import gzip
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from phosphene.canvas import Maco, Spectrum
from phosphene.streams import Streams
from phosphene.transforms import RandomAffine


def load_idx(file: Path, header: int) -> Tensor:
    data = bytearray(gzip.decompress(file.read_bytes())[header:])
    return torch.frombuffer(data, dtype=torch.uint8)


def load_network(folder: Path) -> nn.Module:
    network = nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )
    weights = load_file(folder / "mnist_cnn.safetensors")
    names = {"conv1": "0", "conv2": "3", "fc1": "7", "fc2": "9"}
    network.load_state_dict(
        {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": w for key, w in weights.items()}
    )
    return network.requires_grad_(False).eval()


@pytest.mark.slow
def test_class_pictures_look_like_real_digits(shared_data: Path) -> None:
    mnist = shared_data / "mnist"
    train = load_idx(mnist / "train-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28)[::3] / 255
    labels = load_idx(mnist / "train-labels-idx1-ubyte.gz", 8)[::3].long()
    test = load_idx(mnist / "t10k-images-idx3-ubyte.gz", 16).view(-1, 784)[:500] / 255
    network = load_network(shared_data / "mnist_cnn")

    streams, classes, transform = Streams.seeded(0, range(10)), torch.arange(10), RandomAffine()
    canvas = Maco().build(streams, (1, 28, 28), Spectrum.measure(train.split(1000)))
    optimizer = torch.optim.Adam(canvas.parameters, canvas.learning_rate)
    for _ in range(256):
        logits = network((transform(canvas(), streams) - 0.1307) / 0.3081)
        loss = -logits[classes, classes].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pictures = canvas().detach()

    assert network((pictures - 0.1307) / 0.3081).argmax(dim=1).equal(classes)
    distances, order = torch.cdist(pictures.flatten(1), train.flatten(1)).topk(5, largest=False)
    assert int((labels[order].mode(dim=1).values == classes).sum()) >= 9
    real = torch.cdist(test, train.flatten(1)).amin(dim=1).mean()
    assert float(distances[:, 0].mean() / real) <= 2.0
