"""What a notebook shows of a network, a survey and an atlas."""

from pathlib import Path

import torch
from torch import nn

from phosphene import Atlas, Input, Network, Survey
from phosphene.atlas import Finding
from phosphene.data import ArrayDataset


def test_a_network_shows_its_layers_and_a_survey_what_it_saw() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.copy_(torch.tensor([0.0, -100.0]))
    network = Network(module, Input(1, (8, 8)), name="a<b>")
    shown = network._repr_html_()
    assert "a&lt;b&gt;" in shown
    assert "<td>0</td><td>Conv2d</td><td>2 x 6 x 6</td><td>2</td>" in shown
    ones = ArrayDataset(torch.full((4, 1, 8, 8), 255, dtype=torch.uint8), name="ones")
    survey = Survey(network, "1", classes=0).over(ones)
    assert repr(survey) == "<Survey of 1: 4 pictures>"
    assert "<td>1</td><td>2</td><td>1</td><td>9</td>" in survey._repr_html_()


def test_data_say_what_they_are() -> None:
    dark = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    pair = ArrayDataset(dark, torch.tensor([0, 1]), name="pair", classes=["dark", "light"])
    assert repr(pair) == "<ArrayDataset pair: 2 pictures of 2 classes>"
    assert repr(ArrayDataset(dark[:1], name="one")) == "<ArrayDataset one: 1 picture>"


def test_an_atlas_shows_its_findings(tmp_path: Path) -> None:
    with Atlas.build(tmp_path / "a.atlas") as atlas, atlas.job("k", "kind", "title") as job:
        job.add(Finding(0, "dead", "40 < 50 never fire", {}))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert "<li>40 &lt; 50 never fire</li>" in atlas._repr_html_()
