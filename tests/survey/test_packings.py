"""What a survey finds does not depend on how the data are packed: bit by bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

import packed
import tiny
from phosphene.data import load_data
from phosphene.data.stored import Stored
from phosphene.network import Input, Network
from phosphene.survey import Survey
from states import same

pytestmark = pytest.mark.slow  # a server

COUNT = 60
NETWORK = Network(
    tiny.seeded(lambda: nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(180, 3))),
    Input(3, (8, 8)),
    labels=packed.CLASSES,
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[list[str]]:
    root, files = tmp_path_factory.mktemp("packings"), packed.contents(COUNT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phosphene.data.batching.SHARD", 9)
        packed.as_folder(root / "folder", files)
        packed.as_tars(root / "tars", files, 7)
        packed.as_tars(root / "few", files, 50)
        packed.as_parquet(root / "parquet", files, 25, 8)
        packed.as_saved(root / "saved", files, 30, 11)
        there = packed.send(root, "survey")
        kinds = ("folder", "tars", "few", "parquet", "saved")
        yield [f"{where}/{kind}" for where in (root, there) for kind in kinds]


def surveyed(spec: str, workers: int = 0) -> Survey:
    data = load_data(spec, channels=3, size=(8, 8))
    assert isinstance(data, Stored)
    survey = Survey(NETWORK, ["0"], name=lambda index: Path(data.called(index)).name)
    return survey.over(data, 4, workers)


def test_it_is_the_same_from_everywhere(places: list[str]) -> None:
    first, *others = (surveyed(spec).state() for spec in places)
    assert first["count"] == COUNT - 1
    for other in others:
        (one,), (another,) = first["skipped"], other["skipped"]
        assert one[1] == another[1]
        assert same(first | {"skipped": []}, other | {"skipped": []})


def test_workers_change_nothing(places: list[str]) -> None:
    for spec in places[5:7]:
        assert same(surveyed(spec, workers=2).state(), surveyed(spec).state())
