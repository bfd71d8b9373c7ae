"""What cannot be done for one layer is said, and the rest of the study is done."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from phosphene.atlas import Atlas
from phosphene.data import digits
from phosphene.figures import export_site
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build

DIGITS = Input(1, (28, 28))


class Detached(nn.Module):
    """A head on features that gradients don't reach, by one way or another."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv, self.fc, self.way = nn.Conv2d(1, 4, 5, 2), nn.Linear(4, 10), way

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x).relu().mean((2, 3))
        if self.way == "detach":
            return self.fc(features.detach())
        if self.way == "numpy":
            return self.fc(torch.from_numpy(features.numpy().copy()))
        return self.fc((features > 0.1).float())


def made(way: str) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network(Detached(way), DIGITS)


def study(network: Network, layers: tuple[str, ...] = ()) -> Study:
    settings = Settings(layers, (Recipe(steps=1),), examples=2)
    return Study(network, digits("test").take(slice(0, 20)), settings)


@pytest.mark.later
@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("detach", "does not depend on the pictures"),
        ("numpy", "not with gradients.*numpy"),
        ("mask", "does not depend on the pictures"),
    ],
)
def test_a_layer_without_a_gradient_stops_nothing(way: str, words: str, tmp_path: Path) -> None:
    *_, last = build(study(made(way)), tmp_path / "a.atlas")
    assert last.title == "done"
    edges = way != "numpy"  # which leaves no trace of what fc is made of
    assert last.failed == 1 + edges  # the pictures of fc, and what it is made of
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert len(atlas.pictures("conv")) == 4
        assert len(atlas.examples("fc", 3)) == 2
        assert not any(example.guided.any() for example in atlas.examples("fc", 3))
        assert any(example.guided.any() for example in atlas.examples("conv", 0))
        failed = {job.title: job.error for job in atlas.jobs() if job.state == "failed"}
        assert len(failed) == 1 + edges
        assert re.search(words, failed.pop("drawing channels of fc"))
        assert all("has no slope at layer 'conv'" in error for error in failed.values())
        said = [found.text for found in atlas.findings() if found.topic == "left out"]
        assert len(said) == 1 + edges
        (said_of,) = [text for text in said if text.startswith("Not done: drawing channels of fc")]
        assert re.search(words, said_of)
        export_site(atlas, tmp_path / "site")
        assert "Not done" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.later
def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    network = made("detach")
    for _ in build(study(network), tmp_path / "a.atlas"):
        pass
    network.module.way = "mended"
    Detached.forward, forward = lambda m, x: m.fc(m.conv(x).relu().mean((2, 3))), Detached.forward
    try:
        *_, last = build(study(network), tmp_path / "a.atlas")
    finally:
        Detached.forward = forward
    assert (last.failed, last.resumed) == (0, last.total - 2)
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert len(atlas.pictures("fc")) == 10
        assert not any(finding.topic == "left out" for finding in atlas.findings())


class Strict(nn.Module):
    """A recurrent head that checks its input for NaN, which the measuring of fields shows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lstm = nn.Conv2d(1, 4, 5, 2), nn.LSTM(48, 6, batch_first=True)
        self.fc = nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.conv(x).transpose(1, 2).flatten(2)
        if rows.isnan().any():
            raise ValueError("NaN in the rows")
        return self.fc(self.lstm(rows)[0][:, -1])


@pytest.mark.later
def test_a_layer_whose_field_is_not_known_stops_nothing(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(Strict(), DIGITS)
    *_, last = build(study(network, ("conv", "lstm*", "fc")), tmp_path / "a.atlas")
    assert last.failed == 0
    fields = network.fields
    assert (fields["conv"].size, fields["conv"].bound) == ((5, 5), "")
    assert str(fields["fc"]) == "at most whole picture"
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert {layer.name for layer in atlas.layers()} == {
            "conv", "lstm[0]", "lstm[1][0]", "lstm[1][1]", "fc"
        }  # fmt: skip
        told = " ".join(finding.text for finding in atlas.findings())
        assert "at most whole picture" in told
