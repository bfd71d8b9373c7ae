"""Small but complete atlases: real images, filters and responses that were really computed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy import ndarray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from phosphene.atlas import (
    Atlas,
    ExampleRecord,
    Finding,
    ImageRecord,
    LayerRecord,
    PictureRecord,
    Skipped,
    UnitRecord,
)

TOP = 9


@dataclass(frozen=True)
class Material:
    """Pictures `n c h w` with a class each, and the names things should have."""

    name: str
    pictures: ndarray
    targets: ndarray
    labels: tuple[str, ...]
    kernel: int
    layers: tuple[str, str, str, str] = ("conv1", "conv2", "fc1", "output")
    widths: tuple[int, int, int] = (6, 4, 5)


def digits(count: int = 200, **changes: object) -> Material:
    """Handwritten digits, 8x8 enlarged to 28x28, grey."""
    images, targets = load_digits(return_X_y=True)
    pictures = np.stack(
        [
            np.asarray(
                Image.fromarray((row.reshape(8, 8) * 15.9).astype(np.uint8)).resize(
                    (28, 28), Image.Resampling.BICUBIC
                )
            )
            / 255.0
            for row in images[:count]
        ]
    )[:, None]
    labels = tuple("0123456789")
    fields = {"name": "Digits", "labels": labels, "kernel": 5} | changes
    return Material(pictures=pictures, targets=targets[:count], **fields)


def photographs(**changes: object) -> Material:
    """Patches of three colour photographs, 96x96."""
    from skimage import data

    pictures, targets = [], []
    for target, photograph in enumerate((data.chelsea(), data.astronaut(), data.coffee())):
        height, width, _ = photograph.shape
        for top in range(0, height - 160, 70):
            for left in range(0, width - 160, 70):
                patch = Image.fromarray(photograph[top : top + 160, left : left + 160])
                pictures.append(np.asarray(patch.resize((96, 96))).transpose(2, 0, 1) / 255.0)
                targets.append(target)
    labels = ("cat with a striped orange coat", "astronaut", "cup of coffee")
    fields = {"name": "Photographs", "labels": labels, "kernel": 11} | changes
    return Material(pictures=np.stack(pictures), targets=np.array(targets), **fields)


def build(path: Path, material: Material) -> Path:
    """Write an atlas of an untrained two-layer network with a trained linear output."""
    torch.manual_seed(0)
    images = torch.tensor(material.pictures, dtype=torch.float32)
    _, channels, height, width = images.shape
    first, second, third = material.widths
    filters = _gabors(first, channels, material.kernel)
    filters[-1] = filters[0] * 1.01  # a twin
    bias = torch.zeros(first)
    bias[1] = -1000.0  # never fires
    maps1 = F.relu(F.conv2d(images - 0.3, filters, bias, padding=material.kernel // 2))
    deeper = torch.randn(second, first, 5, 5) / 12
    maps2 = F.relu(F.conv2d(F.max_pool2d(maps1, 2), deeper, padding=2))
    dense = F.relu(maps2.flatten(1) @ torch.randn(maps2[0].numel(), third) / 50)
    flat = material.pictures.reshape(len(images), -1)
    linear = LogisticRegression(C=0.005, max_iter=300).fit(flat, material.targets)
    logits = torch.tensor(linear.decision_function(flat), dtype=torch.float32)
    predicted, probability = logits.argmax(1).numpy(), logits.softmax(1).amax(1).numpy()
    kernel = material.kernel
    with Atlas.build(path) as atlas:
        with atlas.job("describe", "describe", "Describe network and data") as job:
            job.document(
                "network",
                {
                    "name": material.name,
                    "input": {
                        "channels": channels,
                        "height": height,
                        "width": width,
                        "mean": 0.0,
                        "std": 1.0,
                        "value_range": [0, 1],
                    },
                    "labels": list(material.labels),
                    "parameters": 217_000,
                    "fingerprint": "5a0f3c" * 6,
                },
            )
            job.document(
                "data",
                {
                    "name": material.name,
                    "note": "Handwriting of 43 people, 8 × 8 pixels, shown enlarged to 28 × 28.",
                    "count": len(images),
                    "classes": list(material.labels),
                    "skipped": 1,
                },
            )
            job.document("evaluation", _evaluation(material, predicted))
            job.add(Skipped("cats/broken.jpg", "truncated"))
            job.add(*_findings())
            job.add(
                *(
                    ImageRecord(
                        i,
                        int(material.targets[i]),
                        int(predicted[i]),
                        float(probability[i]),
                        picture,
                    )
                    for i, picture in enumerate(material.pictures)
                )
            )
        layers = (
            ("Conv2d", maps1, (kernel, kernel), list(filters.numpy())),
            ("Conv2d", maps2, (kernel + 9, kernel + 9), list(deeper.numpy())),
            ("Linear", dense, None, [None] * third),
            ("Linear", logits, None, list(linear.coef_.astype(np.float32))),
        )
        for position, (kind, values, field, weights) in enumerate(layers):
            name = material.layers[position]
            with atlas.job(f"layer {name}", "layer", f"Study {name}", {}, seed=7) as job:
                job.add(
                    LayerRecord(
                        name=name,
                        position=position,
                        kind=kind,
                        shape=tuple(values.shape[1:]),
                        units=values.shape[1],
                        field=field,
                        field_whole=field is None,
                        default=True,
                        layout="channels_last" if position == 1 else "maps",
                        multiply_adds=1_234_567,
                    )
                )
                for record in _units(name, values, weights, material):
                    job.add(record)
                    if record.firing_rate == 0:
                        job.add(_silent(record, channels))
                        continue
                    examples = _examples(record, values[:, record.unit], field, material)
                    job.add(*examples)
                    job.add(*_pictures(record, examples, material))
    return path


def _gabors(count: int, channels: int, size: int) -> torch.Tensor:
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    made = []
    for i in range(count):
        angle = torch.tensor(torch.pi * i / count)
        across = x * angle.cos() + y * angle.sin()
        wave = torch.exp(-1.6 * (x**2 + y**2)) * torch.sin(3.5 * across + 0.4 * i)
        made.append(torch.stack([wave * (1 - 0.6 * ((i + c) % 3)) for c in range(channels)]))
    return torch.stack(made)


def _units(name: str, values: torch.Tensor, weights: list, material: Material) -> list[UnitRecord]:
    responses = (values.amax((2, 3)) if values.ndim == 4 else values).numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.nan_to_num(np.corrcoef(responses.T))
    np.fill_diagonal(alike, -2)
    records = []
    for unit, column in enumerate(responses.T):
        counts, edges = np.histogram(column, bins=40)
        means = [float(column[material.targets == k].mean()) for k in range(len(material.labels))]
        dead = bool((column <= 0).all())
        twinned = bool(alike[unit].max() >= 0.95)
        records.append(
            UnitRecord(
                layer=name,
                unit=unit,
                firing_rate=float((column > 0).mean()),
                mean=float(column.mean()),
                deviation=float(column.std()),
                maximum=float(column.max()),
                histogram_counts=tuple(int(n) for n in counts),
                histogram_low=float(edges[0]),
                histogram_width=float(edges[1] - edges[0]),
                class_means=tuple(means),
                preferred_class=None if dead else int(np.argmax(means)),
                selectivity=None if dead else 0.5,
                twin=int(alike[unit].argmax()) if twinned else None,
                twin_correlation=float(alike[unit].max()) if twinned else None,
                weights=weights[unit],
            )
        )
    return records


def _examples(
    record: UnitRecord, values: torch.Tensor, field: tuple[int, int] | None, material: Material
) -> list[ExampleRecord]:
    responses = values.reshape(len(values), -1).amax(1)
    _, _, height, width = material.pictures.shape
    examples = []
    for rank, image in enumerate(responses.topk(TOP).indices.tolist()):
        y = x = None
        box = (0, 0, height, width)
        if field is not None:
            y, x = divmod(int(values[image].flatten().argmax()), values.shape[-1])
            stride = height // values.shape[-2]
            top, left = y * stride - field[0] // 2, x * stride - field[1] // 2
            box = (top, left, top + field[0], left + field[1])
        padded = np.pad(
            material.pictures[image] - material.pictures[image].mean(),
            ((0, 0), (64, 64), (64, 64)),
        )
        guided = padded[:, 64 + box[0] : 64 + box[2], 64 + box[1] : 64 + box[3]]
        examples.append(
            ExampleRecord(
                layer=record.layer,
                unit=record.unit,
                rank=rank,
                image=image,
                value=float(responses[image]),
                y=y,
                x=x,
                box=box,
                guided=guided.astype(np.float32),
            )
        )
    return examples


def _pictures(
    record: UnitRecord, examples: list[ExampleRecord], material: Material
) -> list[PictureRecord]:
    generator = np.random.default_rng([record.unit, len(record.layer)])
    mean = np.mean([material.pictures[e.image] for e in examples], axis=0)
    noise = generator.normal(0, 0.05, mean.shape)
    height, width = mean.shape[1:]
    made = [("channel", mean + noise)]
    if examples[0].y is not None:
        top, left, bottom, right = examples[0].box
        made.append(("neuron", mean[:, : min(bottom - top, height), : min(right - left, width)]))
    return [
        PictureRecord(
            layer=record.layer,
            unit=record.unit,
            kind=kind,
            canvas="maco",
            picture=np.clip(picture, 0, 1),
            activation=1.37 * examples[0].value,
            strongest_real=examples[0].value,
            silent=False,
            settings={
                "objective": {"channel": {"layer": record.layer, "unit": record.unit}},
                "steps": 256,
                "learning rate": 0.05,
                "transforms": ["shift 2", "rotate 5", "scale 0.95 to 1.05"],
            },
            attempts=(),
            alpha=np.linspace(0, 1, 12).reshape(3, 4) if len(picture) == 3 else None,
        )
        for kind, picture in made
    ]


def _silent(record: UnitRecord, channels: int) -> PictureRecord:
    return PictureRecord(
        layer=record.layer,
        unit=record.unit,
        kind="channel",
        canvas="maco",
        picture=np.full((channels, 8, 8), 0.5),
        activation=0.0,
        strongest_real=0.0,
        silent=True,
        settings={"steps": 256},
        attempts=("from noise, twice the contrast", "from the strongest real image"),
    )


def _evaluation(material: Material, predicted: ndarray) -> dict:
    classes = len(material.labels)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (material.targets, predicted), 1)
    errors = np.flatnonzero(predicted != material.targets)[:9].tolist()
    pairs = [
        {"true": t, "predicted": p, "count": int(confusion[t, p])}
        for t, p in np.argwhere(confusion - np.diag(np.diag(confusion)))[:5].tolist()
    ]
    return {
        "count": len(predicted),
        "accuracy": float((predicted == material.targets).mean()),
        "top5": None,
        "confusion": confusion.tolist(),
        "most_confused": pairs,
        "examples": list(range(9)),
        "errors": errors,
    }


def _findings() -> list[Finding]:
    return [
        Finding(0, "accuracy", "It reads 97.8 % of 360 held-out images correctly.", {"n": 360}),
        Finding(1, "accuracy", "It most often takes an 8 for a 1 (3 times).", {}),
        Finding(
            2,
            "silent units",
            "In conv1 one of 6 units never fires on any of the 200 images; in the other layers "
            "every unit fires on at least one.",
            {"conv1": 1},
        ),
    ]


@pytest.fixture(scope="session")
def digits_atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("digits") / "digits.atlas", digits())


@pytest.fixture(scope="session")
def photographs_atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("photos") / "photos.atlas", photographs())


@pytest.fixture(scope="session")
def hostile_atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names that would break out of HTML, of a folder, or of the alphabet."""
    material = digits(
        name='<script>alert("net")</script>',
        labels=("<script>alert(1)</script>", '"><b>', "../7", "a&b", "ü", "五", "6", "7", "8", "9"),
        layers=("Conv/1", "conv-1", "层<b>", "../../etc/passwd"),
    )
    return build(tmp_path_factory.mktemp("hostile") / "hostile.atlas", material)


@pytest.fixture(scope="session")
def large_atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many units as the network of the demo: 16 + 36 + 128 + 10."""
    material = digits(widths=(16, 36, 128))
    return build(tmp_path_factory.mktemp("large") / "large.atlas", material)
