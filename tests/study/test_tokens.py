"""Networks of tokens and of channels last in an atlas: places, boxes, pages."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import modern
import tiny
from phosphene.atlas import Atlas
from phosphene.attribution import METHODS
from phosphene.data import ArrayDataset
from phosphene.figures import attributions_sheet, export_site, unit_sheet
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.objectives import Neuron, Term
from phosphene.study import Settings, Study, build
from phosphene.units import Unit

pytestmark = pytest.mark.slow  # together more than a few seconds

LAYERS = {"vit": ("places", "blocks.1[class]", "blocks.0.attention[0]"), "swin": ("features.1",)}


def photographs() -> ArrayDataset:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (20, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return ArrayDataset(pictures, torch.arange(20) % 5, name="noise", classes="abcde")


def made(name: str) -> Network:
    build_module = {"vit": modern.ViT, "swin": modern.Swin}[name]
    return Network(tiny.seeded(build_module), Input(3, (16, 16)), tuple("abcde"))


@pytest.fixture(scope="module", params=LAYERS)
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Atlas]]:
    path = tmp_path_factory.mktemp("tokens") / "a.atlas"
    recipes = (Recipe("channel", steps=2), Recipe("neuron", steps=2))
    settings = Settings(LAYERS[request.param], recipes, examples=2)
    for _ in build(Study(made(request.param), photographs(), settings), path):
        pass
    with Atlas.open(path) as atlas:
        yield request.param, atlas


def test_examples_are_cut_where_the_unit_answers_most(opened: tuple[str, Atlas]) -> None:
    name, atlas = opened
    network, data = made(name), photographs()
    spatial = [layer for layer in LAYERS[name] if network.layer(layer).spatial]
    assert spatial
    for layer in spatial:
        field = network.fields[layer]
        for example in atlas.examples(layer, 1):
            values = network.record(data[example.image].picture[None], [layer])[layer][0, 1]
            place = divmod(int(values.argmax()), values.shape[1])
            assert (example.y, example.x) == place
            assert example.box == field.box(*place)
            assert example.value == pytest.approx(float(values.max()), abs=1e-5)


def test_a_class_token_has_no_place(opened: tuple[str, Atlas]) -> None:
    name, atlas = opened
    for layer in LAYERS[name]:
        if layer.endswith("[class]"):
            (example, _) = atlas.examples(layer, 0)
            assert (example.y, example.x, example.box) == (None, None, (0, 0, 16, 16))


def test_pages_and_sheets_are_made(opened: tuple[str, Atlas], tmp_path: Path) -> None:
    name, atlas = opened
    export_site(atlas, tmp_path / "site")
    pages = list((tmp_path / "site").glob("layer-*.html"))
    assert len(pages) == len(LAYERS[name])
    assert np.asarray(unit_sheet(atlas, LAYERS[name][0], 1)).std() > 10
    picture = photographs()[0].picture
    sheet = attributions_sheet(made(name), picture, [Unit(LAYERS[name][0], 1)], atlas)
    assert np.asarray(sheet).std() > 10


class Pooled(nn.Module):
    """Five tokens made of sixteen, which lie nowhere in the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, 4)
        self.pool = nn.Linear(16, 5)
        self.tokens = nn.Linear(6, 7)
        self.output = nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.tokens(self.pool(self.patches(x).flatten(2)).transpose(1, 2))
        return self.output(tokens.relu().mean(1))


def test_maps_of_tokens_without_a_grid_are_of_the_token_that_answers_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = Network(tiny.seeded(Pooled), Input(3, (16, 16)), tuple("abcde")), photographs()
    assert network.layer("tokens").shape == (5, 7)
    settings = Settings(("tokens",), (Recipe("channel", steps=1),), examples=4)
    for _ in build(Study(network, data, settings), tmp_path / "a.atlas"):
        pass
    asked: list[Term] = []

    def spy(network: Network, pictures: Tensor, objective: Term) -> Tensor:
        asked.append(objective)
        return torch.zeros_like(pictures)

    def token(picture: Tensor) -> int:
        return int(network.record(picture[None], ["tokens"])["tokens"][0, :, 1].argmax())

    monkeypatch.setitem(METHODS, "spy", spy)
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        attributions_sheet(network, data[0].picture, ["tokens:1"], atlas, methods=["spy"])
        best = tuple(token(data[e.image].picture) for e in atlas.examples("tokens", 1))
    whole = Neuron("tokens", 1, (0,), (token(data[0].picture),))
    assert asked == [whole, Neuron("tokens", 1, (0,) * len(best), best)]
    assert any(best)


def test_layers_keep_how_the_network_has_them_and_what_they_cost(
    opened: tuple[str, Atlas],
) -> None:
    name, atlas = opened
    network = made(name)
    expected = {"vit": {"places": "tokens", "blocks.1[class]": "token"}}.get(
        name, {"features.1": "channels_last"}
    )
    for layer, layout in expected.items():
        record = atlas.layer(layer)
        assert record.layout == layout
        cost = None if layout == "token" else network.costs[layer]
        assert record.multiply_adds == cost


def test_pictures_in_colour_keep_their_transparency(opened: tuple[str, Atlas]) -> None:
    name, atlas = opened
    pictures = atlas.pictures(LAYERS[name][0])
    assert pictures
    for record in pictures:
        if record.silent:
            assert record.alpha is None
        else:
            assert record.alpha is not None
            assert record.alpha.shape == record.picture.shape[1:]
            assert 0 <= record.alpha.min() < record.alpha.max() == 1
