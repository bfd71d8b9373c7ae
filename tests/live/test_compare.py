"""Two atlases compared: their units matched over pictures of both, on a page of both."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from torch import nn

import tiny
from fuzz import UNITS, small_atlas
from phosphene.data import ArrayDataset, load_data
from phosphene.errors import SettingError
from phosphene.live.application import live_app
from phosphene.live.comparing import MOST, usual
from phosphene.live.exhibits import Exhibit
from phosphene.live.guard import Guard
from phosphene.network import Input, Network
from phosphene.probes.subject import InMemory
from phosphene.study.source import find_source
from phosphene.survey import match_units

ORDER = [2, 0, 1]
CLASSES = ("cat", "dog", "naïve")
COLOUR = Input(3, (9, 9))
DATA = ArrayDataset(
    torch.randint(0, 256, (40, 3, 9, 9), generator=torch.Generator().manual_seed(0)).byte(),
    name="forty",
)


class Two(nn.Module):
    """The layers that the small atlas tells of."""

    def __init__(self, side: int = 9) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, UNITS, 3)
        self.fc = nn.Linear(UNITS * (side - 2) ** 2, UNITS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).relu().flatten(1))


def two(seed: int = 0, side: int = 9) -> Two:
    made = tiny.seeded(lambda: Two(side), seed)
    assert isinstance(made, Two)
    return made.eval()


def shuffled() -> Two:
    other, one = two(1), two()
    other.conv.weight.data, other.conv.bias.data = one.conv.weight[ORDER], one.conv.bias[ORDER]
    return other


def net(module: nn.Module, name: str, input: Input = COLOUR, labels: tuple[str, ...] = CLASSES):
    return Network(module, input, labels, name=name)


def serve(*exhibits: Exhibit) -> TestClient:
    return TestClient(Guard(live_app(exhibits)), base_url="http://localhost")


def exhibit(name: str, path: Path, network: Network, data: ArrayDataset | None = None) -> Exhibit:
    return Exhibit(name, path, network, source=InMemory(network, data))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("compare")
    told = {"one": "ab" * 16, "two": "ab" * 16, "elsewhere": "cd" * 16}
    return {name: small_atlas(folder / f"{name}.atlas", data=told[name]) for name in told}


@pytest.fixture
def pair(paths: dict[str, Path]) -> TestClient:
    return serve(
        exhibit("one", paths["one"], net(two(), "One"), DATA),
        exhibit("two", paths["two"], net(shuffled(), "Two")),
        Exhibit("bare", paths["two"], missing="give --weights FILE"),
    )


ASKED = {"other": "two", "layer": "conv", "other_layer": "conv"}


def test_units_are_matched_by_the_data_of_the_first(pair: TestClient) -> None:
    found = pair.post("/api/one/match", json=ASKED).json()
    assert {(each["unit"], each["other"]) for each in found["pairs"]} == {(2, 0), (0, 1), (1, 2)}
    assert all(each["above"] for each in found["pairs"])
    assert [each["told"] for each in found["pairs"]] == ["1"] * 3
    assert (found["by"], found["pictures"]) == ("all 40 of forty", 40)
    whole = match_units(net(two(), "One"), "conv", net(shuffled(), "Two"), "fc", DATA)
    asked = ASKED | {"other_layer": "fc"}
    told = pair.post("/api/one/match", json=asked).json()
    assert [each["correlation"] for each in told["pairs"]] == pytest.approx(
        whole.correlation.tolist()
    )
    assert told["words"] == whole.summary
    null = whole.to_json()["null"]
    assert {name: told["chance"][name] for name in null} == pytest.approx(null)
    assert told["chance"]["words"].startswith("Permuted 10 times, pairs correlate at 0.")


def test_no_more_pictures_are_taken_than_asked_for(pair: TestClient) -> None:
    found = pair.post("/api/one/match", json=ASKED | {"pictures": 9}).json()
    assert (found["by"], found["pictures"]) == ("8 of 40 of forty", 8)
    refused = pair.post("/api/one/match", json=ASKED | {"pictures": MOST + 1})
    assert refused.status_code == 422
    large = net(two(side=80), "large", Input(3, (80, 80)))
    assert usual(large, net(two(), "One")) < usual(net(two(), "One")) == MOST


def test_without_data_the_images_of_both_atlases_are_taken(paths: dict[str, Path]) -> None:
    client = serve(
        exhibit("one", paths["one"], net(two(), "One")),
        exhibit("two", paths["two"], net(shuffled(), "Two")),
        exhibit("far", paths["elsewhere"], net(shuffled(), "Far")),
    )
    found = client.post("/api/one/match", json=ASKED).json()
    assert (found["by"], found["pictures"]) == ("all 4 of the images that both atlases keep", 4)
    assert {(each["unit"], each["other"]) for each in found["pairs"]} == {(2, 0), (0, 1), (1, 2)}
    refused = client.post("/api/one/match", json=ASKED | {"other": "far"})
    assert refused.status_code == 422
    assert "keep no images of the same data; build both on the same" in refused.json()["detail"]


def test_data_that_only_one_network_takes_are_told_of(paths: dict[str, Path]) -> None:
    wide = net(two(side=12), "Wide", Input(3, (12, 12)))
    client = serve(
        exhibit("one", paths["one"], net(two(), "One"), DATA),
        exhibit("two", paths["elsewhere"], wide),
    )
    refused = client.post("/api/one/match", json=ASKED)
    assert refused.status_code == 422
    assert "the data are 3 x 9 x 9 and Wide takes 3 x 12 x 12" in refused.json()["detail"]


@pytest.mark.later
def test_named_data_are_made_for_another_input() -> None:
    source = find_source("hvass", data="digits")
    other = net(two(side=12), "Wide", Input(3, (12, 12)))
    found, told = source.data_for(other, "squash"), load_data("digits", 3, (12, 12))
    assert len(found) == len(told) == len(load_data("digits", 1, (28, 28)))
    assert torch.equal(found[7].picture, told[7].picture)
    with pytest.raises(SettingError, match="needs pictures"):
        find_source("hvass").data_for(other)


def test_image_files_come_to_the_others_size_as_it_has_them(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "files" / "a.png")
    source = find_source("hvass", data=str(tmp_path / "files"))
    other = net(two(side=12), "Wide", Input(3, (12, 12)))
    squashed, cut = source.data_for(other, "squash")[0], source.data_for(other)[0]
    assert squashed.picture.shape == cut.picture.shape == (3, 12, 12)
    told = load_data(str(tmp_path / "files"), 3, (12, 12), resize="squash")
    assert torch.equal(squashed.picture, told[0].picture)
    assert not torch.equal(squashed.picture, cut.picture)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"other": "none"}, 404, "no atlas 'none' here"),
        ({"other": "one"}, 404, "name another atlas"),
        ({"other": "bare"}, 503, "give --weights FILE"),
        ({"layer": "conf"}, 404, "conf"),
        ({"pictures": 2}, 422, "pictures"),
    ],
)
def test_what_cannot_be_matched_is_told(
    pair: TestClient, asked: dict[str, str | int], status: int, words: str
) -> None:
    answer = pair.post("/api/one/match", json=ASKED | asked)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


def test_units_are_shown_at_a_glance(pair: TestClient) -> None:
    found = pair.get("/api/one/glances/conv", params={"unit": [1, 0, 99]}).json()
    assert [each["unit"] for each in found] == [1, 0]
    assert [each["page"] for each in found] == ["/one/unit/conv/1", "/one/unit/conv/0"]
    for source in (found[0]["drawn"], found[0]["real"]):
        assert source.startswith("data:image/png;base64,")
    assert pair.get("/api/one/glances/none", params={"unit": [0]}).status_code == 404
    assert pair.get("/api/one/glances/conv", params={"unit": [-1]}).status_code == 422
    assert pair.get("/api/one/glances/conv", params={"unit": list(range(61))}).status_code == 422


def test_pages_lead_to_the_comparison_where_there_is_another(
    pair: TestClient, paths: dict[str, Path]
) -> None:
    for path in ("/one/", "/one/layer/conv", "/one/unit/conv/0", "/one/bench"):
        assert 'href="/one/compare"' in pair.get(path).text, path
    alone = serve(exhibit("one", paths["one"], net(two(), "One")))
    assert "/one/compare" not in alone.get("/one/").text
    refused = alone.get("/one/compare")
    assert (refused.status_code, "view a.atlas b.atlas" in refused.json()["detail"]) == (404, True)


def test_networks_of_one_name_are_called_by_their_atlases(paths: dict[str, Path]) -> None:
    one, two_ = (exhibit(name, paths["one"], net(two(), "Net")) for name in ("before", "after"))
    assert "<h1>before beside after</h1>" in serve(one, two_).get("/before/compare").text


def test_the_page_of_two_names_both_and_their_layers(pair: TestClient) -> None:
    page = pair.get("/one/compare", params={"with": "two"})
    assert page.status_code == 200
    assert "<h1>One beside Two</h1>" in page.text
    assert page.text.count("<option selected>conv</option>") == 2
    assert pair.get("/one/compare").text == page.text  # the first whose network is there
    bare = pair.get("/one/compare", params={"with": "bare"}).text
    assert "bare: give --weights FILE" in bare
    assert 'id="match"' not in bare
    assert "bare: give --weights FILE" in pair.get("/bare/compare").text
    assert pair.get("/one/compare", params={"with": "none"}).status_code == 404
    assert pair.get("/one/compare", params={"with": "one"}).status_code == 404
    for file in ("compare.js", "compare.css"):
        assert pair.get(f"/assets/{file}").status_code == 200


def test_the_api_describes_itself(pair: TestClient) -> None:
    told = pair.get("/openapi.json").json()
    for path in ("match", "fool", "glances/{layer}"):
        assert f"/api/{{name}}/{path}" in told["paths"], path
    chance = told["components"]["schemas"]["Chance"]["properties"]
    assert "99 %" in chance["bound"]["description"]
