"""Studies of data with labels of its own: several at once, two classes, other classes."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import tiny
from phosphene.atlas import Atlas
from phosphene.data import ArrayDataset, ImageFolder, read
from phosphene.errors import DataError
from phosphene.figures import export_site
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build, decided

COUNT = 24


class Sky(nn.Module):
    """Says of each of `labels` whether it holds, or gives raw scores."""

    def __init__(self, labels: int, squash: bool) -> None:
        super().__init__()
        self.conv, self.fc, self.squash = nn.Conv2d(1, 4, 3), nn.Linear(4, labels), squash

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(10 * torch.tanh(self.conv(x)).mean((2, 3)))
        return z.sigmoid() if self.squash else z


def network(labels: int, *, squash: bool = True, names: tuple[str, ...] = ()) -> Network:
    return Network(tiny.seeded(lambda: Sky(labels, squash)), Input(1, (8, 8)), names)


def pictures() -> Tensor:
    return torch.rand(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def members() -> Tensor:
    return torch.rand(COUNT, 3, generator=torch.Generator().manual_seed(1)) > 0.5


def studied(network: Network, data: object, path: Path) -> Study:
    layers = ("conv", network.logits.name) if network.classifies else ("conv", "fc")
    settings = Settings(layers, (Recipe(steps=2),), examples=3)
    study = Study(network, data, settings)
    for _ in build(study, path):
        pass
    return study


@pytest.mark.later
@pytest.mark.parametrize("kind", [torch.bool, torch.float32, torch.int64])
def test_labels_that_hold_together(kind: torch.dtype, tmp_path: Path) -> None:
    net, held = network(3, names=("sky", "sea", "sun")), members()
    data = TensorDataset(pictures(), held.to(kind))
    studied(net, data, tmp_path / "a.atlas")
    found = net.probabilities(pictures()) >= 0.5
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        told = atlas.document("labels found")
        assert told["count"] == COUNT
        assert told["held"] == held.sum(0).tolist()
        assert told["both"] == (held & found).sum(0).tolist()
        assert told["right"] == int((held == found).all(1).sum())
        share = int((held & found).sum()) / int(held.sum())
        assert any(f"{share:.0%}".rstrip("%") in f.text for f in atlas.findings())
        responses = net.record(pictures(), ["conv"])["conv"].amax((2, 3)).clamp_min(0)
        means = torch.stack([responses[held[:, i]].mean(0) for i in range(3)])
        kept = torch.tensor([unit.class_means for unit in atlas.units("conv")]).T
        torch.testing.assert_close(kept.double(), means.double(), rtol=1e-4, atol=1e-5)
        export_site(atlas, tmp_path / "site")
        top = atlas.examples("conv", 0)[0].image
    page = (tmp_path / "site" / "unit-conv-0.html").read_text("utf-8")
    names = [name for name, holds in zip(net.labels, held[top].tolist(), strict=True) if holds]
    assert (", ".join(names) or "none of the labels") in page


def test_a_row_for_each_label_or_none() -> None:
    item = read((pictures()[0], [0, 1, 1]))
    assert item.members.tolist() == [False, True, True]
    with pytest.raises(DataError, match="a row of zeros and ones"):
        read((pictures()[0], [0, 2, 1]))


def test_as_many_zeros_and_ones_as_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="say of 3 labels whether they hold, and 5 are known"):
        studied(network(5), TensorDataset(pictures(), members()), tmp_path / "a.atlas")


@pytest.mark.later
@pytest.mark.parametrize("squash", [True, False])
def test_two_classes_told_apart_by_one_output(squash: bool, tmp_path: Path) -> None:
    net, truth = network(1, squash=squash), torch.arange(COUNT) % 2
    data = ArrayDataset(
        (255 * pictures()).byte(), truth, name="pets", classes=["cats", "dogs"], note=""
    )
    study = studied(decided(net, data), data, tmp_path / "a.atlas")
    assert study.classes == ("cats", "dogs")
    shown = torch.stack([data[i].picture for i in range(COUNT)])
    with torch.no_grad():
        raw = net.module(shown)[:, 0]
    read_as = (raw > (0.5 if squash else 0)).long()
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.document("evaluation")["accuracy"] == float((read_as == truth).float().mean())
        assert [unit.unit for unit in atlas.units("fc[classes]")] == [0, 1]
        assert atlas.document("reading")["task"] == "binary"
        export_site(atlas, tmp_path / "site")
    page = next((tmp_path / "site").glob("unit-fc*-1.html"))
    assert "class dogs" in page.read_text("utf-8")


@pytest.mark.later
def test_an_encoder_is_not_told_how_well_it_reads(tmp_path: Path) -> None:
    data = ArrayDataset(
        (255 * pictures()).byte(), torch.arange(COUNT) % 2, name="pets", classes=["cat", "dog"]
    )
    studied(network(7, squash=False), data, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert "evaluation" not in atlas.documents()
        assert len(atlas.units("conv")[0].class_means) == 2
        assert any("which is which cannot be told" in f.text for f in atlas.findings())
        export_site(atlas, tmp_path / "site")
    page = (tmp_path / "site" / "unit-fc-1.html").read_text("utf-8")
    assert "class dog" not in page.partition("<h1")[2].partition("</h1>")[0]


@pytest.mark.later
def test_pages_name_the_files_of_a_folder(tmp_path: Path) -> None:
    for i, picture in enumerate(pictures()[:6]):
        where = tmp_path / "data" / f"class {i % 2}"
        where.mkdir(parents=True, exist_ok=True)
        pixels = (255 * picture).byte().permute(1, 2, 0).squeeze(-1).numpy()
        Image.fromarray(pixels).save(where / f"n{i}.png")
    shape = pictures().shape
    data = ImageFolder(tmp_path / "data", shape[1], shape[2:])
    studied(network(2, names=("class 0", "class 1")), data, tmp_path / "a.atlas")
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        files = atlas.document("files")
        assert files == {str(i): data.file(i) for i in atlas.kept()}
        export_site(atlas, tmp_path / "site")
        top = atlas.examples("conv", 0)[0].image
    page = (tmp_path / "site" / "unit-conv-0.html").read_text("utf-8")
    assert f'file">class {data.labels[top]}/n' in page
