"""Sheets of plain pictures: every pixel shown is one that was given, and nothing is cut."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from drawn import edges_are_blank, holds, network, some_data
from phosphene.attribution import deconvnet, gradient, guided, method
from phosphene.errors import InputError
from phosphene.figures import (
    attributions_sheet,
    confusion_sheet,
    drawings_sheet,
    mosaic_sheet,
    on_paper,
    picture_to_image,
    pictures_sheet,
    signed_to_rgba,
    training_sheet,
)
from phosphene.figures.ink.palette import full_strength
from phosphene.figures.ink.paper import DPI, Paper
from phosphene.figures.sheets.attributions import PATCH, SIDE
from phosphene.maximize import Drawing
from phosphene.objectives import Channel, Energy, Neuron
from phosphene.survey import Survey
from phosphene.training import TrainingStep
from phosphene.units import Unit

pytestmark = pytest.mark.slow  # together more than a few seconds


@pytest.mark.parametrize(
    ("channels", "count", "side"), [(1, 1, 2.8), (1, 3, 1.4), (3, 10, 1.4), (1, 23, 0.875)]
)
def test_every_picture_is_shown(channels: int, count: int, side: float) -> None:
    pictures = torch.rand(count, channels, 20, 20)
    captions = [f"picture number {i} of many" for i in range(count)]
    drawn = np.asarray(pictures_sheet(pictures, captions, "A title", "And words."))
    assert edges_are_blank(drawn)
    for picture in pictures:
        assert holds(drawn, picture_to_image(picture.numpy()), round(side * DPI) // 20)


def test_pictures_without_captions_are_refused() -> None:
    with pytest.raises(InputError, match=r"1 captions were given for 2 pictures"):
        pictures_sheet(torch.rand(2, 1, 4, 4), ["one"], "A title")


def test_silent_units_have_words_and_no_picture() -> None:
    pictures = torch.rand(2, 1, 20, 20)
    drawings = [
        Drawing(Unit("0", i), picture, 0.0, bool(i), ()) for i, picture in enumerate(pictures)
    ]
    drawn = np.asarray(drawings_sheet(network(1), drawings))
    shown = [holds(drawn, picture_to_image(p.numpy()), round(1.4 * DPI) // 20) for p in pictures]
    assert shown == [True, False]


def test_drawings_of_several_layers_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = [], Paper.write

    def listen(paper: Paper, words: str, *args: object, **style: object) -> float:
        written.append(words)
        return write(paper, words, *args, **style)

    monkeypatch.setattr(Paper, "write", listen)
    units = Unit("0", 2), Unit("3", 2), Unit("5", 2)
    drawings = [Drawing(unit, torch.rand(1, 20, 20), 1.0, False, ()) for unit in units]
    drawings_sheet(network(1), drawings)
    assert written[0] == "0, 3, 5"
    assert {"0:2: 1", "3:2: 1", "class cup of coffee: 1"} <= set(written)


@pytest.mark.parametrize(("size", "scale"), [(28, 1), (8, 3)])
def test_a_mosaic_has_all_pictures_of_all_groups(size: int, scale: int) -> None:
    groups = {"ones": torch.rand(9, 1, size, size), "sevens": torch.rand(4, 1, size, size)}
    drawn = np.asarray(mosaic_sheet(groups, columns=4, title="Two"))
    assert edges_are_blank(drawn)
    for pictures in groups.values():
        for picture in pictures:
            assert holds(drawn, picture_to_image(picture.numpy()), scale)


def test_a_mosaic_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"no pictures in \['none'\]"):
        mosaic_sheet({"none": torch.rand(0, 1, 8, 8)})


@pytest.mark.parametrize("classes", [2, 10, 30])
def test_confusion_is_deepest_on_the_diagonal(classes: int) -> None:
    counts = torch.full((classes, classes), 1) + 98 * torch.eye(classes, dtype=torch.long)
    drawn = np.asarray(confusion_sheet(counts, [f"class {i}" for i in range(classes)]))
    assert edges_are_blank(drawn)
    assert not np.array_equal(drawn, np.asarray(confusion_sheet(counts.flip(0))))


def test_a_confusion_of_no_pictures_is_refused() -> None:
    with pytest.raises(InputError, match=r"no pictures"):
        confusion_sheet(torch.zeros(3, 3, dtype=torch.long))


@pytest.mark.parametrize("validation", [None, 0.9])
def test_a_training_is_shown_with_and_without_validation(validation: float | None) -> None:
    steps = [TrainingStep(i, 1 / i, 1 - 1 / i, validation) for i in range(1, 200, 7)]
    assert edges_are_blank(np.asarray(training_sheet(steps)))
    assert edges_are_blank(np.asarray(training_sheet(steps[:1])))
    with pytest.raises(InputError, match=r"no steps"):
        training_sheet([])


def test_maps_that_do_not_tell_colours_apart_are_blue_and_red() -> None:
    found, batch = network(3), some_data(3)
    survey = Survey(found, ["5"])
    survey.add(batch)
    data, picture = TensorDataset(batch.pictures, batch.labels), batch.pictures[2]
    methods = ("gradient x input", "captum:Occlusion")
    drawn = attributions_sheet(found, picture, [Unit("5", 2)], survey, data, methods=methods)
    large = round(SIDE * DPI) // 20
    in_colour, hidden = (method(m)(found, picture[None], Channel("5", 2))[0] for m in methods)
    for map_ in (in_colour.numpy(), hidden[0].numpy()):
        assert holds(np.asarray(drawn), on_paper(signed_to_rgba(map_, full_strength(map_))), large)
    assert torch.equal(hidden[0], hidden[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_attributions_lie_over_the_picture_beside_real_patches(channels: int) -> None:
    found, batch = network(channels), some_data(channels)
    survey = Survey(found, ["0", "3", "5"])
    survey.add(batch)
    data = TensorDataset(batch.pictures, batch.labels)
    picture = batch.pictures[2]
    units = [Unit("3", 1), Unit("0", 4, 7, 9), Unit("5", 2)]
    drawn = np.asarray(attributions_sheet(found, picture, units, survey, data))
    assert edges_are_blank(drawn)
    large = round(SIDE * DPI) // 20
    assert holds(drawn, picture_to_image(picture.numpy()), large)
    for target in (Neuron("0", 4, 7, 9), Energy("3", 1)):
        (map_,) = gradient(found, picture[None], target).numpy()
        assert holds(drawn, on_paper(signed_to_rgba(map_, full_strength(map_))), large)
    strongest = int(survey.layers["5"].top.images[2, 0])
    small = round(PATCH * DPI) // 20
    real = batch.pictures[strongest]
    assert holds(drawn, picture_to_image(real.numpy()), small)
    for attribution in (gradient, deconvnet, guided):
        (map_,) = attribution(found, real[None], Channel("5", 2)).numpy()
        assert holds(drawn, on_paper(signed_to_rgba(map_, full_strength(map_))), small)
    nothing_seen = Survey(found, ["5"])
    strip = np.asarray(attributions_sheet(found, picture, [Unit("5", 2)], nothing_seen, data))
    assert holds(strip, picture_to_image(picture.numpy()), large)
    with pytest.raises(InputError, match=r"survey was given without data; expected the pictures"):
        attributions_sheet(found, picture, units, survey)
