"""Specs against the libraries themselves; they are in the environment of `make zoo` alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from laws import unchanged
from phosphene.errors import WeightsError
from phosphene.network import load_network

ABSENT = "torchvision, timm and transformers are in the environment of `make zoo`"
pytestmark = pytest.mark.filterwarnings("default")  # their warnings are not ours


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    pixels = torch.randint(256, (224, 224, 3), generator=torch.Generator().manual_seed(0))
    return Image.fromarray(pixels.byte().numpy())


def picture(photo: Image.Image) -> Tensor:
    data = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
    return data.view(1, 224, 224, 3).permute(0, 3, 1, 2) / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hf = pytest.importorskip("transformers", reason=ABSENT)
    config = hf.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        id2label={0: "cat", 1: "dog", 2: "egg"},
    )
    path = tmp_path_factory.mktemp("saved")
    hf.ViTForImageClassification(config).save_pretrained(path)
    hf.ViTImageProcessor(image_mean=[0.4, 0.5, 0.6]).save_pretrained(path)
    return path


def test_a_saved_model_of_transformers(folder: Path, photo: Image.Image) -> None:
    hf = pytest.importorskip("transformers", reason=ABSENT)
    network = load_network(f"hf:{folder}", "DEFAULT")
    assert network.classes == ("cat", "dog", "egg")
    inputs = hf.AutoImageProcessor.from_pretrained(folder)(photo, return_tensors="pt")
    torch.testing.assert_close(network.input.normalise(picture(photo)), inputs["pixel_values"])
    theirs = hf.AutoModelForImageClassification.from_pretrained(folder).eval()
    with unchanged(network.module), torch.no_grad():
        expected = theirs(**inputs).logits
        torch.testing.assert_close(network.class_scores(picture(photo)), expected)
    assert network.logits.name == "classifier"
    called = {name.partition("[")[0].partition("@")[0] for name in network.layers}
    assert called <= {*dict(theirs.named_modules()), "output"}


def test_its_weights_as_a_file_are_the_same(folder: Path) -> None:
    network = load_network(f"hf:{folder}", "DEFAULT")
    assert load_network(f"hf:{folder}", folder / "model.safetensors").fingerprint == (
        network.fingerprint
    )
    assert load_network(f"hf:{folder}").fingerprint != network.fingerprint


def test_a_model_without_a_head_is_refused(folder: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("transformers", reason=ABSENT)
    hf.ViTModel.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"missing: classifier\.bias, classifier\.weight"):
        load_network(f"hf:{tmp_path}", "DEFAULT")


def test_torchvision_takes_what_was_put_where_it_looks(
    tmp_path: Path, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = pytest.importorskip("torchvision.models", reason=ABSENT)
    trained = models.resnet18().eval()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    weights = models.ResNet18_Weights.DEFAULT
    path = tmp_path / "checkpoints" / Path(weights.url).name
    torch.save(trained.state_dict(), path)
    network = load_network("torchvision:resnet18", "DEFAULT")
    assert network.classes[281:283] == ("tabby", "tiger cat")
    inputs = weights.transforms(resize_size=224)(photo)[None]
    torch.testing.assert_close(network.input.normalise(picture(photo)), inputs)
    with torch.no_grad():
        torch.testing.assert_close(network.class_scores(picture(photo)), trained(inputs))
    assert load_network("torchvision:resnet18", path).fingerprint == network.fingerprint


def test_timm_tells_the_input_and_the_labels(tmp_path: Path, photo: Image.Image) -> None:
    timm: Any = pytest.importorskip("timm", reason=ABSENT)
    trained = timm.create_model("vit_tiny_patch16_224", pretrained=False).eval()
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    network = load_network("timm:vit_tiny_patch16_224", tmp_path / "w.safetensors")
    assert network.classes[281].startswith("tabby")
    config = timm.data.resolve_model_data_config(trained) | {"crop_pct": 1.0}
    inputs = timm.data.create_transform(**config)(photo)[None]
    torch.testing.assert_close(network.input.normalise(picture(photo)), inputs)
    with torch.no_grad():
        torch.testing.assert_close(network.class_scores(picture(photo)), trained(inputs))
