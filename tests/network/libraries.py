"""Stand-ins with the faces of torchvision, timm and transformers, as far as specs look at them.

Each offers one small network called `small` and is offline, as a machine without a connection is.
`make zoo` runs the libraries themselves.
"""

import enum
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.error import URLError

from safetensors.torch import load_file
from torch import Tensor, nn

OFFLINE = URLError("Name or service not known")


class Small(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU())
        self.head = nn.Linear(4, classes)
        self.num_classes = classes
        self.pretrained_cfg: dict[str, Any] = {}

    def forward(self, x: Tensor) -> Any:
        return self.head(self.features(x).mean((2, 3)))


class SmallWeights(enum.Enum):
    IMAGENET1K_V1 = "https://example.org/small-1234.pth"
    DEFAULT = IMAGENET1K_V1

    url = property(lambda self: self.value)
    meta = property(lambda self: {"categories": ["cat", "dog"]})

    def transforms(self) -> SimpleNamespace:
        return SimpleNamespace(crop_size=[24], mean=[0.4, 0.5, 0.6], std=[0.1, 0.2, 0.3])


def torchvision() -> dict[str, ModuleType]:
    models = ModuleType("torchvision.models")
    face: Any = models

    def small(*, weights: Any = None, num_classes: int = 2) -> nn.Module:
        if weights is not None:
            raise OFFLINE
        return Small(num_classes)

    def segmenter(*, weights: Any = None, weights_backbone: Any = "trained") -> nn.Module:
        if weights_backbone is not None:
            raise OFFLINE
        return Small(2)

    builders: dict[str, Any] = {"small": small, "segmenter": segmenter}
    face.list_models = lambda: list(builders)
    face.get_model_weights = lambda name: SmallWeights
    face.get_model_builder = builders.__getitem__
    face.get_model = lambda name, **settings: builders[name](**settings)
    return {"torchvision": ModuleType("torchvision"), "torchvision.models": models}


def timm(labels: Mapping[str, Any] | None = None) -> dict[str, ModuleType]:
    library, data = ModuleType("timm"), ModuleType("timm.data")
    face: Any = library
    side: Any = data

    def get_pretrained_cfg(name: str) -> SimpleNamespace:
        if name.partition(".")[2] not in {"", "a1_in1k"}:
            raise RuntimeError(f"Invalid pretrained tag for {name}.")
        return SimpleNamespace(hf_hub_id="timm/small.a1_in1k", url=None)

    def create_model(name: str, pretrained: bool = False, num_classes: int = 2) -> nn.Module:
        if pretrained:
            raise OFFLINE
        module = Small(num_classes)
        module.pretrained_cfg = dict(labels or {})
        return module

    face.is_model = lambda name: name.partition(".")[0] == "small"
    face.list_models = lambda: ["small"]
    face.get_pretrained_cfg = get_pretrained_cfg
    face.create_model = create_model
    side.resolve_model_data_config = lambda module: {
        "input_size": (3, 20, 30),
        "mean": (0.1, 0.2, 0.3),
        "std": (0.5, 0.5, 0.5),
    }
    side.infer_imagenet_subset = lambda module: None if labels else "imagenet-tiny"
    side.ImageNetInfo = lambda subset: SimpleNamespace(label_descriptions=lambda: [subset, "dog"])
    return {"timm": library, "timm.data": data}


class Config(SimpleNamespace):
    def __init__(self, num_labels: int = 2, **told: Any) -> None:
        names = {i: f"LABEL_{i}" for i in range(num_labels)}
        super().__init__(**({"num_labels": num_labels, "id2label": names} | told))


class SmallForImageClassification(Small):
    def __init__(self, config: Config) -> None:
        super().__init__(config.num_labels)
        self.config = config

    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(logits=super().forward(x), hidden_states=None)

    @classmethod
    def from_pretrained(
        cls, name: str | None, config: Config, output_loading_info: bool, state_dict: Any = None
    ) -> Any:
        made = cls(config)
        state = load_file(Path(name) / "model.safetensors") if name else state_dict
        renamed = {key.replace("old_head", "head"): value for key, value in state.items()}
        found = made.load_state_dict(renamed, strict=False)
        faults = {"missing_keys": found.missing_keys, "unexpected_keys": found.unexpected_keys}
        return made, faults | {"mismatched_keys": []}


def transformers(
    hub: Mapping[str, Any] | None = None, processor: Mapping[str, Any] | None = None
) -> dict[str, ModuleType]:
    """`hub` is what the hub says of every network that is not there; None is offline."""
    library = ModuleType("transformers")
    face: Any = library

    def published(name: str, **width: Any) -> Config:
        if hub is None:
            raise OSError("We couldn't connect to 'https://huggingface.co'\nand so on")
        return Config(**(dict(hub) | width))

    face.CONFIG_MAPPING = {"small": Config}
    face.AutoConfig = SimpleNamespace(
        for_model=lambda name, **width: Config(image_size=24, **width), from_pretrained=published
    )
    face.AutoModelForImageClassification = SimpleNamespace(from_config=SmallForImageClassification)
    face.AutoImageProcessor = SimpleNamespace(
        from_pretrained=lambda name: SimpleNamespace(to_dict=lambda: dict(processor or {}))
    )
    return {"transformers": library}
