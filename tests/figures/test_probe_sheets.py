"""Figures of probes: nothing cut, every picture there, whatever the channels and names."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from torch import nn

import modern
import tiny
from drawn import LABELS, edges_are_blank, holds, network, some_data
from phosphene import Input, Network, sheet
from phosphene.errors import NetworkError
from phosphene.figures import (
    ablation_sheet,
    film_sheet,
    filters_sheet,
    flips_sheet,
    imagined_sheet,
    misread_sheet,
    move_sheet,
    on_paper,
    picture_to_image,
    restarts_sheet,
    signed_to_rgba,
    strokes_sheet,
    transfer_sheet,
    weights_sheet,
)
from phosphene.figures.ink.layout import SIDE, WIDTH, filling, rows
from phosphene.figures.ink.paper import DPI, MARGIN, Paper
from phosphene.maximize import Drawing, Recipe
from phosphene.probes import (
    Ablation,
    Closeness,
    Imagined,
    Misread,
    Restarts,
    Transfer,
    ablate,
    flips,
    fool,
    move_map,
    read_strokes,
    rotations,
    scalings,
    shifts,
)
from phosphene.probes.film import CONVINCED
from phosphene.units import Unit

pytestmark = pytest.mark.slow  # together more than a few seconds


def fitting(image: np.ndarray, side: float = SIDE) -> int:
    """How many times an image is enlarged to fill a square of so many inches."""
    return round(side * DPI) // max(image.shape[:2])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_film_shows_frames_and_the_signed_change(channels: int) -> None:
    film = fool(network(channels), steps=3)
    sheet = np.asarray(film_sheet(film, which=[1]))
    assert edges_are_blank(sheet)
    scale = fitting(picture_to_image(film.frames[0, 1].numpy()), filling(5, WIDTH - 2 * MARGIN))
    for frame in film.frames[:, 1]:
        assert holds(sheet, picture_to_image(frame.numpy()), scale)
    assert not holds(sheet, picture_to_image(film.frames[0, 0].numpy()), scale)
    change = film.difference[1].numpy()
    assert holds(sheet, on_paper(signed_to_rgba(change)), scale)


def test_a_long_film_is_shown_in_part() -> None:
    film = fool(network(1), [2], steps=20)
    sheet = np.asarray(film_sheet(film, every=8))
    scale = round(filling(5, WIDTH - 2 * MARGIN) * DPI) // 20
    shown = [holds(sheet, picture_to_image(f.numpy()), scale) for f in film.frames[:, 0]]
    assert [step for step, there in enumerate(shown) if there] == [0, 8, 16, 20]


@pytest.mark.parametrize("steps", [2, 4, 7, 10])
def test_no_part_of_a_sheet_is_left_blank(steps: int) -> None:
    for figure in (
        film_sheet(fool(network(1), [2], steps=steps)),
        move_sheet(move_map(network(1), torch.zeros(1, 20, 20), 0, shifts(steps))),
        sheet(torch.rand(1, 20, 20)),
    ):
        dark = (np.asarray(figure.convert("L")) < 200).any(0).nonzero()[0]
        assert dark.max() > figure.width - 1.5 * MARGIN * DPI


@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_transfer_matrix_of_any_size_fits(count: int) -> None:
    values = torch.rand(count, count)
    names = tuple(f"network number {i} of many" for i in range(count))
    sheet = np.asarray(transfer_sheet(Transfer(names, LABELS, values, values)))
    assert edges_are_blank(sheet)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "family", [shifts(2), shifts(0), rotations([-20, 0, 20]), scalings([0.8, 1, 1.2])]
)
def test_moves_give_a_map_or_a_curve(channels: int, family: object) -> None:
    picture = some_data(channels).pictures[0]
    moves = move_map(network(channels), picture, 1, family)
    drawn = np.asarray(sheet(moves))
    assert edges_are_blank(drawn)
    assert holds(drawn, picture_to_image(picture.numpy()), round(1.4 * DPI) // 20)


def test_flips_of_networks_stand_side_by_side() -> None:
    found = flips(network(1), [some_data(1)], shifts(2))
    one = np.asarray(sheet(found))
    two = np.asarray(sheet(found, found))
    assert edges_are_blank(one)
    assert edges_are_blank(two)
    assert one.shape == two.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_every_stroke_is_shown(channels: int) -> None:
    scores = read_strokes(network(channels))
    sheet = np.asarray(strokes_sheet(scores))
    assert edges_are_blank(sheet)
    for picture in scores.pictures:
        assert holds(sheet, picture_to_image(picture.numpy()), 7)


@pytest.mark.parametrize("groups", [None, [(0, 1, 2)], []])
def test_units_are_ranked(groups: list[tuple[int, ...]] | None) -> None:
    ablation = ablate(network(1), "0", [some_data(1)], groups)
    assert edges_are_blank(np.asarray(ablation_sheet(ablation, most=5)))


@dataclass
class Seen:
    """What was written on sheets, with the height it took, and the charts on them."""

    words: list[tuple[str, float]] = field(default_factory=list)
    charts: list[Axes] = field(default_factory=list)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found, write, chart = Seen(), Paper.write, Paper.chart

    def listen(paper: Paper, words: str, *args: Any, **kwargs: Any) -> float:
        found.words.append((words, write(paper, words, *args, **kwargs)))
        return found.words[-1][1]

    def look(paper: Paper, *args: Any) -> Axes:
        found.charts.append(chart(paper, *args))
        return found.charts[-1]

    monkeypatch.setattr(Paper, "write", listen)
    monkeypatch.setattr(Paper, "chart", look)
    return found


def test_a_film_has_one_threshold_in_its_figure_and_its_words(seen: Seen) -> None:
    film = fool(network(1), [2], steps=3)
    rising = torch.tensor([[[0.9, 0.05, 0.05]], *([[0, 1 - p, p]] for p in (0.92, 0.98, 0.995))])
    film = replace(film, probabilities=rising)
    film_sheet(film)
    (told,) = (words for words, _ in seen.words if "from step" in words)
    assert f"≥ {CONVINCED} from step 3" in told
    assert f"(p ≥ {CONVINCED}), after 3 steps" in film.summary
    film_sheet(replace(film, probabilities=rising.clamp(max=0.95)))
    assert any(f"never reached {CONVINCED}" in words for words, _ in seen.words)


@pytest.mark.parametrize(
    "labels",
    [tuple("012"), ("tabby", "Egyptian cat", "cup"), ("German short-haired pointer", "a", "b")],
)
def test_names_of_classes_stay_on_their_line(labels: tuple[str, ...], seen: Seen) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(400, 3))
    strokes_sheet(read_strokes(Network(module, Input(1, (20, 20)), labels)))
    heights = {height for words, height in seen.words if words in labels}
    assert len(heights) == 1
    assert heights.pop() < 0.2


def test_each_class_has_a_line_of_its_own_colour(seen: Seen) -> None:
    flips_sheet(flips(network(1), [some_data(1)], shifts(2)))
    colours = [line.get_color() for line in seen.charts[0].lines]
    assert len(set(colours)) == len(colours) == 1 + len(LABELS)


def test_the_surest_mistake_comes_first(seen: Seen) -> None:
    chances = torch.tensor([[0.4, 0.6, 0.0], [0.1, 0.9, 0.0], [0.3, 0.7, 0.0], [0.0, 1.0, 0.0]])
    found = Misread(
        "data", range(9), 9, ("orange", "b", "c"), torch.arange(4), torch.zeros(4).long(),
        chances, torch.zeros(3, 1, 20, 20),
    )  # fmt: skip
    misread_sheet(found)
    told = [words for words, _ in seen.words if words.startswith("no. ")]
    assert [words[:5] for words in told] == ["no. 1", "no. 2", "no. 0"]
    assert told[0].startswith("no. 1: an orange (")


def test_flips_have_ticks_at_their_levels(seen: Seen) -> None:
    flips_sheet(flips(network(1), [some_data(1)], shifts(2)))
    assert [label.get_text() for label in seen.charts[0].get_xticklabels()] == ["0", "1", "2"]


def test_the_lines_of_classes_have_names_apart_from_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = flips(network(1), [some_data(1)], shifts(2))
    names = (*(f"class {i}" for i in range(20)), "a very long name of a class")
    counts = torch.full((21,), 10)
    flipped = torch.tensor([[0, 5, min(i, 10)] for i in range(20)] + [[0, 0, 0]])
    counts[19] = 0
    found = replace(found, classes=names, count=100, flipped=torch.tensor([0, 5, 50]),
                    class_count=counts, class_flipped=flipped)  # fmt: skip
    written: dict[str, float] = {}
    write = Paper.write

    def listen(paper: Paper, words: str, *args: Any, **kwargs: Any) -> float:
        height = write(paper, words, *args, **kwargs)
        if words.startswith(("class", "a very")):
            assert words not in written
            written[words] = args[1]
            assert height < 0.13, "one line"
        return height

    monkeypatch.setattr(Paper, "write", listen)
    assert edges_are_blank(np.asarray(flips_sheet(found)))
    assert len(written) == 12
    assert {"class 0", "a very long nam…", "class 18"} <= written.keys()  # 0, 0 and 100 %
    assert not {"class 5", "class 19"} & written.keys()  # as all pictures are; never seen
    tops = sorted(written.values())
    assert min(b - a for a, b in pairwise(tops)) > 0.12
    assert {name for name, top in written.items() if top in tops[-2:]} == {
        "class 0",
        "a very long nam…",
    }


def test_ranks_are_whole_and_counts_agree_with_their_verbs(seen: Seen) -> None:
    groups = tuple((i,) for i in range(4))
    sheet = ablation_sheet(Ablation("conv", groups, 100, 90, torch.tensor([89, 90, 91, 85])))
    assert edges_are_blank(np.asarray(sheet))
    assert any("2 are missed, 1 makes no difference, 1 does harm." in w for w, _ in seen.words)
    ticks = seen.charts[0].get_xticks()
    assert {1.0, 2.0, 3.0, 4.0} <= set(ticks)
    assert (ticks == ticks.round()).all()


@pytest.mark.parametrize("activations", [[3.0, 2.9, 1.0], [-1.0, -2.0, -3.0]])
def test_clear_restarts_alone_are_shown(activations: list[float]) -> None:
    pictures = some_data(3, 3).pictures
    values = torch.tensor(activations)
    found = Restarts(Unit("fc", 1), pictures, values, torch.tensor([0, 1, 0]), 0.5, None)
    sheet = np.asarray(restarts_sheet(found))
    assert edges_are_blank(sheet)
    shown = [holds(sheet, picture_to_image(p.numpy()), 7) for p in pictures]
    assert shown == found.clear().tolist()


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 4, 11])
@pytest.mark.parametrize("compared", [True, False])
def test_every_imagined_picture_is_shown(channels: int, count: int, compared: bool) -> None:
    targets = tuple(c for c in range(3) for _ in range(count))
    pictures = some_data(channels, len(targets)).pictures
    logits = torch.rand(len(targets), 3)
    near = Closeness(logits, torch.rand(len(targets)), 1.0) if compared else None
    found = Imagined(targets, LABELS, Recipe(), pictures, logits, near)
    sheet = np.asarray(imagined_sheet(found))
    assert edges_are_blank(sheet)
    images = [picture_to_image(p.numpy()) for p in pictures]
    assert all(holds(sheet, image, fitting(image)) for image in images)
    assert np.array_equal(sheet, np.asarray(imagined_sheet(found, LABELS)))


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_filters_are_lined_up(channels: int) -> None:
    net, picture = network(channels), some_data(channels).pictures[0]
    drawings = [
        Drawing(Unit("0", i), some_data(channels, 11).pictures[i + 1], 1e6, i == 0, ())
        for i in range(10)
    ]
    sheet = np.asarray(filters_sheet(net, "0", picture, drawings[::-1]))
    assert edges_are_blank(sheet)
    images = [picture_to_image(d.picture.numpy()) for d in drawings]
    drawn = [holds(sheet, image, fitting(image)) for image in images]
    assert drawn == [not d.silent for d in drawings]
    with torch.no_grad():
        maps = net.record(picture[None], ["0"])["0"][0].numpy()
    limit = float(np.abs(maps).max())
    assert all(holds(sheet, on_paper(signed_to_rgba(m, limit)), 7) for m in maps)
    assert edges_are_blank(np.asarray(filters_sheet(net, "3", picture, [])))


def test_kernels_of_depthwise_and_grouped_convolutions_are_shown() -> None:
    net = Network(tiny.seeded(modern.Mobile), Input(3, (16, 16)))
    picture = torch.rand(3, 16, 16)
    assert edges_are_blank(np.asarray(filters_sheet(net, "features.5", picture, [])))
    sheet = np.asarray(filters_sheet(net, "features.2", picture, []))
    kernels = net.weights("features.2").numpy()
    assert kernels.shape == (4, 1, 3, 3)
    limit = float(np.abs(kernels).max())
    scale = round(SIDE * DPI) // 3
    assert all(holds(sheet, on_paper(signed_to_rgba(k, limit)), scale) for k in kernels)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_weights_share_one_range(channels: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, 3))
    net = Network(module, Input(channels, (8, 8)), LABELS)
    sheet = np.asarray(weights_sheet(net, "1"))
    weights = module[1].weight.detach().view(3, channels, 8, 8).numpy()
    limit = float(np.abs(weights).max())
    assert edges_are_blank(sheet)
    images = [on_paper(signed_to_rgba(w, limit)) for w in weights]
    assert all(holds(sheet, image, fitting(image, 1.4)) for image in images)


def test_layers_without_such_weights_are_refused() -> None:
    net = network(1)
    with pytest.raises(NetworkError, match=r"no pictures.*there are: 0"):
        weights_sheet(net, "5")
    with pytest.raises(NetworkError, match=r"no convolution.*there are: 0, 3"):
        filters_sheet(net, "5", some_data(1).pictures[0], [])


def test_rows_are_even() -> None:
    assert [len(row) for row in rows(range(32), 9)] == [8, 8, 8, 8]
    assert rows([], 9) == []
