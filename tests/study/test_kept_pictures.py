"""What an atlas says of a picture holds for the picture that it keeps."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch
from torch import nn

import tiny
from phosphene.atlas import Atlas
from phosphene.canvas import Pixels
from phosphene.data import ArrayDataset
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build


def colourful() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 60 * 60, 2))


@pytest.mark.later
def test_the_answer_is_to_the_picture_that_is_kept(tmp_path: Path) -> None:
    network = Network(tiny.seeded(colourful).eval(), Input(3, (64, 64)), ("cat", "dog"), name="Net")
    pictures = torch.randint(0, 256, (6, 3, 64, 64), dtype=torch.uint8)
    data = ArrayDataset(pictures, torch.arange(6) % 2, name="six", classes=("cat", "dog"))
    recipe = Recipe("channel", canvas=Pixels(), steps=3, size=(64, 64))
    settings = Settings(("1",), (recipe,), examples=2, edges=0)
    list(build(Study(network, data, settings), tmp_path / "a.atlas"))
    with closing(sqlite3.connect(tmp_path / "a.atlas")) as file:
        (form,) = {blob[4:12] for (blob,) in file.execute("SELECT picture FROM pictures")}
        assert form == b"ftypavif"
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        drawn = atlas.pictures("1")
        assert len(drawn) == 4
        for each in drawn:
            shown = torch.from_numpy(each.picture)[None]
            answer = network.record(shown, ["1"])["1"][0, each.unit].max()
            assert each.activation == pytest.approx(float(answer), rel=1e-5)
