"""Networks by the names that libraries give them, with what these say about them."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from laws import unchanged
from network import libraries
from phosphene.errors import DownloadError, NetworkError, SpecError, WeightsError
from phosphene.network import Input, Network, load_network

PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": 32},
    "do_center_crop": True,
    "crop_size": {"height": 24, "width": 28},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.4],
    "image_std": [0.25, 0.25, 0.2],
}


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(modules: dict[str, ModuleType]) -> None:
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)

    return put


@pytest.fixture(autouse=True)
def everything(offer: Any) -> None:
    offer(libraries.torchvision() | libraries.timm() | libraries.transformers())


@pytest.mark.parametrize(
    ("spec", "size", "mean", "std", "labels"),
    [
        ("torchvision:small", (24, 24), (0.4, 0.5, 0.6), (0.1, 0.2, 0.3), ("cat", "dog")),
        ("timm:small.a1_in1k", (20, 30), (0.1, 0.2, 0.3), (0.5,) * 3, ("imagenet-tiny", "dog")),
        ("hf:small", (24, 24), (0.0,) * 3, (1.0,) * 3, ()),
    ],
)
def test_the_library_tells_the_input_and_the_labels(
    spec: str, size: tuple[int, int], mean: Any, std: Any, labels: Any
) -> None:
    network = load_network(spec)
    assert network.input == Input(3, size, mean, std)
    assert network.labels == labels
    assert network.to_json()["labels"] == list(labels)
    assert network.name == spec.partition(":")[2]
    assert network.logits.name == "head"
    assert list(network.layers)[:2] == ["features.0", "features.1"]


@pytest.mark.parametrize("spec", ["torchvision:small", "timm:small", "hf:small"])
def test_what_is_given_goes_before_what_is_found(spec: str) -> None:
    found = load_network(spec)
    small = load_network(spec, input={"size": (16, 16)}, labels="abcd")
    assert small.input == Input(3, (16, 16), found.input.mean, found.input.std)
    assert small.classes == tuple("abcd")
    told = Input(3, (8, 8), 0.5, 0.5, (0, 255))
    assert load_network(spec, input=told).input == told


@pytest.mark.parametrize("spec", ["torchvision:small", "timm:small", "hf:small"])
def test_random_weights_are_the_same_each_time_and_leave_torch_alone(spec: str) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    network = load_network(spec)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    assert load_network(spec).fingerprint == network.fingerprint


@pytest.mark.parametrize("spec", ["torchvision:small", "timm:small", "hf:small"])
def test_weights_from_a_file(spec: str, tmp_path: Path) -> None:
    trained = libraries.Small(2)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    network = load_network(spec, tmp_path / "w.safetensors")
    assert torch.equal(network.module.head.weight, trained.head.weight)
    with pytest.raises(WeightsError, match=r"no weights at .*other\.pth"):
        load_network(spec, tmp_path / "other.pth")
    save_file({"features.0.bias": torch.zeros(4)}, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match=r"(?s)part\.safetensors do not fit .*head\.weight"):
        load_network(spec, tmp_path / "part.safetensors")


def test_hf_networks_give_logits_under_their_own_names(offer: Any) -> None:
    offer(libraries.transformers({"id2label": {0: "cat", 1: "dog"}}, PROCESSOR))
    network = load_network("hf:owner/small")
    assert network.input == Input(3, (24, 28), (0.5, 0.5, 0.4), (0.25, 0.25, 0.2))
    assert network.classes == ("cat", "dog")
    pictures = torch.rand(2, 3, 24, 28)
    inside = network.module.features(network.input.normalise(pictures)).mean((2, 3))
    with unchanged(network.module):
        torch.testing.assert_close(network.class_scores(pictures), network.module.head(inside))
    assert isinstance(Network(network.module, network.input).module(pictures), torch.Tensor)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"do_center_crop": False}, Input(3, (32, 32), (0.5, 0.5, 0.4), (0.25, 0.25, 0.2))),
        ({"do_normalize": False}, Input(3, (24, 28))),
        ({"do_rescale": False, "do_normalize": False}, Input(3, (24, 28), 0, 1, (0, 255))),
        (
            {"rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
            Input(3, (24, 28), 0, 1, (-1, 1)),
        ),
    ],
)
def test_the_steps_of_an_image_processor(offer: Any, told: Any, expected: Input) -> None:
    offer(libraries.transformers({}, PROCESSOR | told))
    assert load_network("hf:owner/small").input == expected


def test_an_image_processor_that_turns_the_channels_round(offer: Any) -> None:
    offer(libraries.transformers({}, PROCESSOR | {"do_flip_channel_order": True}))
    assert load_network("hf:owner/small").input.order == (2, 1, 0)


def test_a_folder_of_transformers(offer: Any, tmp_path: Path) -> None:
    offer(libraries.transformers({"image_size": 24}, PROCESSOR))
    state = libraries.Small(2).state_dict()
    state["old_head.weight"] = state.pop("head.weight")  # as transformers did call it
    save_file(state, tmp_path / "model.safetensors")
    network = load_network(f"hf:{tmp_path}", "DEFAULT")
    assert torch.equal(network.module.head.weight, state["old_head.weight"])
    assert network.name == tmp_path.name
    assert network.input == Input(3, (24, 24)), "there is no preprocessor_config.json"
    again = load_network(f"hf:{tmp_path}", tmp_path / "model.safetensors")
    assert again.fingerprint == network.fingerprint
    del state["old_head.weight"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing: head\.weight. Transformers would draw"):
        load_network(f"hf:{tmp_path}", "DEFAULT")


def test_labels_in_timms_own_description(offer: Any) -> None:
    described = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat"}}
    offer(libraries.timm(described))
    assert load_network("timm:small").labels == ("cat", "n2")


def test_a_backbone_is_not_fetched_unasked() -> None:
    assert load_network("torchvision:segmenter").name == "segmenter"


@pytest.mark.parametrize(
    ("spec", "weights", "says"),
    [
        ("torchvision:smal", None, "torchvision has no network 'smal'; nearest: small"),
        ("torchvision:", None, "torchvision: names no network; write torchvision:NAME"),
        ("torchvision:small", "DEFAUL", "no weights 'DEFAUL' for small; nearest: DEFAULT; or give"),
        ("timm:smal", None, "timm has no network 'smal'; nearest: small"),
        ("timm:small", "a1_in1k", "neither DEFAULT nor a file; the tag goes into the name"),
        ("timm:small.x", None, r"timm:small\.x cannot be built: RuntimeError: Invalid .* tag"),
        ("hf:small", "DEFAULT", "kind of network and has no weights of its own; name a model"),
        ("hf:small", "V2", "weights 'V2' of hf:small are neither DEFAULT nor a file"),
    ],
)
def test_names_that_there_are_not(spec: str, weights: str | None, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_network(spec, weights)


@pytest.mark.parametrize(
    ("spec", "weights", "says"),
    [
        (
            "torchvision:small",
            "IMAGENET1K_V1",
            r"fetched \(URLError: .*not known>\); fetch https://example\.org/small-1234\.pth where "
            "that works and put it into .*checkpoints, or give the file as weights",
        ),
        (
            "timm:small",
            Path("DEFAULT"),
            r"not known>\); fetch its weights from https://huggingface\.co/timm/small\.a1_in1k",
        ),
        (
            "hf:owner/small",
            None,
            r"\(OSError: We couldn't connect to 'https://huggingface\.co'\); fetch config\.json, "
            r".* of https://huggingface\.co/owner/small .* into a folder and write hf:FOLDER",
        ),
    ],
)
def test_offline_the_reason_and_the_file_are_told(
    spec: str, weights: str | Path | None, says: str
) -> None:
    with pytest.raises(DownloadError, match=says):
        load_network(spec, weights)


@pytest.mark.parametrize("library", ["torchvision", "timm", "hf"])
def test_a_library_that_is_not_installed(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"hf": "transformers"}.get(library, library)
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    says = rf"needs {package}, which is not installed: pip install 'phosphene\[{library}\]'"
    with pytest.raises(SpecError, match=says):
        load_network(f"{library}:small")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "raise RuntimeError('operator does not exist')",
            "RuntimeError: operator .* version of to",
        ),
        ("import there_is_no_such_part", "timm cannot be imported: No module named 'there_is_no"),
    ],
)
def test_a_library_that_is_broken(
    source: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "__init__.py").write_text(source)
    monkeypatch.delitem(sys.modules, "timm")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SpecError, match=says):
        load_network("timm:small")


def test_a_size_that_the_network_cannot_take_is_told_at_the_first_look() -> None:
    network = load_network("torchvision:small", input={"size": (1, 1)})
    with pytest.raises(NetworkError, match="failed on one picture of its own input size 3 x 1 x 1"):
        _ = network.layers
