"""What is answered to a picture, and to what is none."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from phosphene import draw
from phosphene.attribution import guided
from phosphene.circuits import parts
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit, named
from phosphene.network import Network
from phosphene.objectives import Neuron
from phosphene.spellings import picture_of


def opened(link: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))))


def tensor(link: str) -> torch.Tensor:
    return torch.from_numpy(opened(link).copy()).permute(2, 0, 1)[None] / 255


def test_classes_are_those_of_the_network(client: TestClient, network: Network, link) -> None:
    answer = client.post("/api/net/read", json={"picture": link(), "bars": 2}).json()
    shares = network.probabilities(tensor(link()))[0]
    assert [bar["name"] for bar in answer["bars"]] == [
        network.classes[i] for i in shares.argsort(descending=True)[:2].tolist()
    ]
    assert answer["bars"][0]["share"] == pytest.approx(float(shares.max()))
    assert (answer["look"], answer["wall"]) == (None, None)


def test_a_unit_is_looked_at_from_its_strongest_place(
    client: TestClient, network: Network, link
) -> None:
    asked = {"picture": link(), "unit": "1:2", "method": "guided"}
    look = client.post("/api/net/read", json=asked).json()["look"]
    before = network.record(tensor(link()), ["0"])["0"][0, 2]
    y, x = divmod(int(before.argmax()), 9)
    values = guided(network, tensor(link()), Neuron("0", 2, y, x))[0].sum(0)
    assert look["value"] == pytest.approx(float(before.max()), rel=1e-5)
    shown = opened(look["src"])
    strong = values.abs() > 0.5 * values.abs().max()
    assert (shown[..., 3][strong.numpy()] > 100).all()
    blue = shown[..., 2].astype(int) > shown[..., 0]
    assert (blue == (values > 0).numpy())[strong.numpy()].all()
    assert look["unit"] == "1:2"


def test_what_is_read_is_looked_at_by_a_star(client: TestClient, link) -> None:
    answer = client.post("/api/net/read", json={"picture": link(), "unit": "*", "bars": 0}).json()
    first = client.post("/api/net/read", json={"picture": link()}).json()["bars"][0]
    assert answer["look"]["unit"] == f"3:{first['index']}"
    assert answer["bars"] == []


@pytest.mark.parametrize(("layer", "size"), [("0", (9, 9)), ("3", (1, 1))])
def test_a_wall_has_the_map_of_every_unit(
    client: TestClient, network: Network, link, layer: str, size: tuple[int, int]
) -> None:
    wall = client.post("/api/net/read", json={"picture": link(), "wall": layer}).json()["wall"]
    values = network.record(tensor(link()), [layer])[layer][0].reshape(-1, *size)
    assert (wall["units"], wall["height"], wall["width"]) == (len(values), *size)
    assert wall["strongest"] == pytest.approx(values.amax((1, 2)).tolist(), rel=1e-5)
    sheet = opened(wall["src"])
    for i, one in enumerate(values):
        row, column = divmod(i, wall["columns"])
        part = sheet[row * size[0] :, column * size[1] :][: size[0], : size[1]]
        alpha = part[..., 3] if part.shape[2] == 4 else np.full(size, 255)
        assert np.abs(alpha - 255 * (one.abs() / one.abs().max()).numpy()).max() <= 1


def test_a_picture_of_any_size_and_format_is_brought_to_the_networks(
    client: TestClient, network: Network, link
) -> None:
    sent = link((40, 30), "JPEG")
    answer = client.post("/api/net/read", json={"picture": sent, "bars": 3}).json()
    content = io.BytesIO(base64.b64decode(sent.partition(",")[2]))
    shares = network.probabilities(picture_of(network, Image.open(content))[None])[0]
    assert [bar["share"] for bar in answer["bars"]] == pytest.approx(
        shares.sort(descending=True).values.tolist(), rel=1e-4
    )


def bomb() -> str:
    """A PNG of a few bytes that says it has four billion pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    "picture",
    [
        "",
        "file:///etc/passwd",
        "/etc/passwd",
        "http://localhost/",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,****",
        "data:image/png;base64,AAAA",
        "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode(),
        "data:image/png;base64," + base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0").decode(),
        bomb(),
        "image:-1",
    ],
)  # fmt: skip
def test_what_is_no_picture_is_told(client: TestClient, picture: str) -> None:
    answer = client.post("/api/net/read", json={"picture": picture})
    assert answer.status_code == 422
    assert "picture" in answer.text or "image" in answer.text


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"unit": "9:0"}, 404, "no layer"),
        ({"unit": "0:99"}, 404, "99"),
        ({"unit": "mouse"}, 404, "mouse"),
        ({"wall": "conv9"}, 404, "conv9"),
        ({"unit": "1:0", "method": "magic"}, 422, "magic"),
        ({"unit": "1:0", "method": "captum:Occlusion"}, 422, "pattern"),
        ({"picture": "image:987654"}, 404, "987654"),
        ({"bars": -1}, 422, "bars"),
    ],
)
def test_what_there_is_not_is_told(
    client: TestClient, link, asked: dict[str, object], status: int, words: str
) -> None:
    answer = client.post("/api/net/read", json={"picture": link()} | asked)
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_an_image_that_the_atlas_keeps_is_read_by_its_number(
    client: TestClient, exhibit: Exhibit, network: Network
) -> None:
    number = exhibit.images[0]
    answer = client.post("/api/net/read", json={"picture": f"image:{number}", "bars": 3}).json()
    shown = exhibit.picture(number)[None]
    shares = network.probabilities(shown)[0].sort(descending=True).values
    assert [bar["share"] for bar in answer["bars"]] == pytest.approx(shares.tolist(), rel=1e-4)
    sent = opened(client.get(f"/api/net/images/{number}").json())
    assert (
        np.abs(sent.transpose(2, 0, 1) / 255 - exhibit.picture(number).numpy()).max()
        <= 0.5 / 255 + 1e-6
    )


def test_without_its_network_an_atlas_is_shown_and_says_what_to_do(exhibit: Exhibit, link) -> None:
    alone = Exhibit("net", exhibit.path, missing="give --weights FILE")
    client = TestClient(live_app([alone]))
    assert client.get("/net/").status_code == 200
    assert "give --weights FILE" in client.get("/net/bench").text
    refused = client.post("/api/net/read", json={"picture": link()})
    assert (refused.status_code, "give --weights" in refused.text) == (503, True)
    assert client.get("/api/atlases").json()[0]["answers"] is False


def test_names_in_addresses_are_safe_and_each_ones_own(tmp_path) -> None:
    paths = [tmp_path / name for name in ("a.atlas", "x/a.atlas", "api.atlas", "Ünï códe.atlas")]
    names = list(named(paths))
    assert names[:3] == ["a", "a-2", "api-2"]
    assert names[3].isascii()
    assert len(set(names)) == 4


def test_the_api_describes_itself(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        *("/api/atlases", "/api/{name}/read", "/api/{name}/images/{number}"),
        *("/api/{name}/parts", "/api/{name}/moves", "/api/{name}/morph"),
        *("/api/{name}/imagine", "/api/{name}/jobs", "/api/{name}/jobs/{id}"),
        *("/api/{name}/match", "/api/{name}/fool", "/api/{name}/glances/{layer}"),
        "/api/{name}/jobs/{id}/files/{file}",
    }
    assert (
        "conv2:17"
        in described["components"]["schemas"]["Asked"]["properties"]["unit"]["description"]
    )


class TestChanged:
    """What the network would answer: against hooks that overwrite channels."""

    CHANGES = (
        {"unit": "1:2", "how": "remove"},
        {"unit": "1:0", "how": "raise", "by": 3},
    )

    @pytest.mark.parametrize("baseline", ["mean", "zero"])
    def test_classes_map_and_wall_are_those_of_the_changed_network(
        self, client: TestClient, exhibit: Exhibit, network: Network, link, baseline: str
    ) -> None:
        asked = {"picture": link(), "unit": "dog", "method": "gradient", "wall": "1"}
        changes = {"changes": list(self.CHANGES), "baseline": baseline}
        answer = client.post("/api/net/read", json=asked | changes).json()
        some = exhibit.some
        assert some is not None
        mean = network.record(some, ["1"])["1"].mean((0, 2, 3))[2] if baseline == "mean" else 0.0

        def overwrite(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
            changed = output.clone()
            changed[:, 2] = mean
            changed[:, 0] *= 3
            return changed

        shown = network.input.normalise(tensor(link())).requires_grad_()
        handle = network.module[1].register_forward_hook(overwrite)
        try:
            scores = network.module(shown)
            maps = network.module[:2](shown)
        finally:
            handle.remove()
        (slope,) = torch.autograd.grad(scores[0, 1], shown)
        shares, plain = scores.softmax(1)[0], network.probabilities(tensor(link()))[0]
        found = {bar["index"]: bar for bar in answer["bars"]}
        assert [found[i]["share"] for i in range(3)] == pytest.approx(shares.tolist(), rel=1e-4)
        assert [found[i]["before"] for i in range(3)] == pytest.approx(plain.tolist(), rel=1e-4)
        assert answer["bars"][0]["index"] == int(shares.argmax())
        look = answer["look"]
        assert look["value"] == pytest.approx(float(scores[0, 1].detach()), rel=1e-4)
        before = float(network.class_scores(tensor(link()))[0, 1])
        assert look["before"] == pytest.approx(before, rel=1e-4)
        assert answer["wall"]["strongest"] == pytest.approx(maps[0].amax((1, 2)).tolist(), rel=1e-4)
        summed = slope[0].sum(0)
        strong = summed.abs() > 0.5 * summed.abs().max()
        image = opened(look["src"])
        blue = image[..., 2].astype(int) > image[..., 0]
        assert (blue == (summed > 0).numpy())[strong.numpy()].all()
        assert (image[..., 3][strong.numpy()] > 100).all()
        assert (answer["absent"] == "zero") is (baseline == "zero")
        again = client.post("/api/net/read", json=asked).json()
        assert again["bars"][0]["share"] == pytest.approx(float(plain.max()), rel=1e-5)
        assert (again["bars"][0]["before"], again["absent"]) == (None, "")

    def test_what_a_part_is_worth_in_a_tree_is_what_removing_it_does(
        self, client: TestClient, exhibit: Exhibit, network: Network, link
    ) -> None:
        found = parts(network, tensor(link()), "dog", k=4, depth=1, data=exhibit.some)
        for part in found.root.parts:
            changes = [{"unit": str(part.unit).partition("@")[0], "how": "remove"}]
            asked = {"picture": link(), "unit": "dog", "changes": changes}
            look = client.post("/api/net/read", json=asked).json()["look"]
            assert look["before"] - look["value"] == pytest.approx(part.edge.removed, abs=1e-4)

    def test_units_are_kept_alone(self, client: TestClient, network: Network, link) -> None:
        changes = [{"unit": f"0:{i}", "how": "keep"} for i in (1, 3)]
        asked = {"picture": link(), "wall": "0", "changes": changes, "baseline": "zero"}
        answer = client.post("/api/net/read", json=asked).json()
        whole = client.post("/api/net/read", json={"picture": link(), "wall": "0"}).json()
        expected = [whole["wall"]["strongest"][i] if i in (1, 3) else 0 for i in range(4)]
        assert answer["wall"]["strongest"] == pytest.approx(expected)

    def test_the_first_before_and_after_are_both_told(
        self, client: TestClient, network: Network, link
    ) -> None:
        first = client.post("/api/net/read", json={"picture": link()}).json()["bars"][0]
        changes = [{"unit": f"3:{first['index']}", "how": "raise", "by": 0}]
        for by in (0, 100):
            changes[0]["by"] = by
            asked = {"picture": link(), "bars": 2, "unit": "*", "changes": changes}
            answer = client.post("/api/net/read", json=asked).json()
            shares = [bar["share"] for bar in answer["bars"]]
            assert shares == sorted(shares, reverse=True)
            assert first["index"] in [bar["index"] for bar in answer["bars"]]
            assert answer["look"]["unit"] == f"3:{answer['bars'][0]['index']}"

    @pytest.mark.parametrize(
        ("change", "status", "words"),
        [
            ({"unit": "9:0", "how": "remove"}, 404, "no layer"),
            ({"unit": "0:99", "how": "keep"}, 404, "99"),
            ({"unit": "0:1@2,2", "how": "keep"}, 422, "single place"),
            ({"unit": "0:1", "how": "explode"}, 422, "how"),
            ({"unit": "0:1", "how": "raise", "by": -1}, 422, "by"),
            ({"unit": "0:1", "how": "raise", "by": 1e9}, 422, "by"),
            ({"unit": "0:1" * 200, "how": "raise"}, 422, "unit"),
            ({"how": "raise"}, 422, "unit"),
        ],
    )
    def test_what_cannot_be_changed_is_told(
        self, client: TestClient, link, change: dict[str, object], status: int, words: str
    ) -> None:
        answer = client.post("/api/net/read", json={"picture": link(), "changes": [change]})
        assert answer.status_code == status, answer.text
        assert words in answer.text
        assert client.post("/api/net/read", json={"picture": link()}).status_code == 200

    def test_neither_the_same_twice_nor_more_than_there_is_room_for(
        self, client: TestClient, link
    ) -> None:
        change = {"unit": "0:1", "how": "remove"}
        for changes, words in [([change, change], "twice"), ([change] * 65, "64")]:
            answer = client.post("/api/net/read", json={"picture": link(), "changes": changes})
            assert (answer.status_code, words in answer.text) == (422, True)


class TestFurther:
    def test_a_unit_is_taken_apart_as_by_parts(
        self, client: TestClient, exhibit: Exhibit, network: Network, link
    ) -> None:
        asked = {"picture": link(), "unit": "dog", "k": 3, "depth": 1}
        answer = client.post("/api/net/parts", json=asked).json()
        found = parts(network, tensor(link()), "dog", k=3, depth=1, data=exhibit.some)
        assert answer["tree"] == json.loads(json.dumps(found.to_json()))
        assert answer["words"] == found.summary
        assert answer["drawing"].count("<g transform") == 1 + len(found.root.parts)

    def test_a_class_is_watched_under_every_move(
        self, client: TestClient, network: Network, link
    ) -> None:
        asked = {"picture": link(), "unit": "cat", "paper": 0.5}
        answer = client.post("/api/net/moves", json=asked).json()
        assert answer["radius"] == 8
        shown = torch.full((9, 9, 3, 9, 9), 0.5)
        whole = tensor(link())[0]
        for down in range(9):
            for right in range(9):
                shown[down, right, :, down:, right:] = whole[:, : 9 - down, : 9 - right]
        expected = network.probabilities(shown.flatten(0, 1))
        p = torch.tensor(answer["probability"])
        assert torch.allclose(p[8:, 8:].flatten(), expected[:, 0], atol=1e-6)
        read = expected.argmax(1).view(9, 9) == 0
        colours = torch.from_numpy(opened(answer["src"])[8:, 8:].astype(int))
        assert ((colours[..., 2] > colours[..., 0]) == read).all()

    def test_a_picture_is_led_to_a_class_in_frames(self, client: TestClient, link) -> None:
        asked = {"picture": link(), "unit": "naïve", "steps": 7}
        answer = client.post("/api/net/morph", json=asked).json()
        assert len(answer["frames"]) == len(answer["shares"]) == 8
        assert (opened(answer["frames"][0]) == opened(link())).all()
        assert answer["shares"][-1] > answer["shares"][0]
        last = client.post("/api/net/read", json={"picture": answer["frames"][-1]}).json()
        share = next(bar["share"] for bar in last["bars"] if bar["name"] == "naïve")
        assert share == pytest.approx(answer["shares"][-1], abs=0.01)

    @pytest.mark.later
    def test_a_picture_is_drawn_line_by_line_as_by_draw(
        self, client: TestClient, exhibit: Exhibit, network: Network
    ) -> None:
        answer = client.post("/api/net/imagine", json={"unit": "dog", "steps": 8})
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert [line["step"] for line in lines] == [0, 4, 8]
        (drawn,) = draw(network, "dog", steps=8, spectrum=exhibit.spectrum)
        expected = (drawn.picture * 255).round().byte()
        assert (opened(lines[-1]["src"]).transpose(2, 0, 1) == expected.numpy()).all()

    @pytest.mark.parametrize(
        ("what", "status"), [("parts", 404), ("moves", 422), ("morph", 422), ("imagine", 404)]
    )
    def test_a_class_that_is_none_is_told(
        self, client: TestClient, link, what: str, status: int
    ) -> None:
        answer = client.post(f"/api/net/{what}", json={"picture": link(), "unit": "mouse"})
        assert answer.status_code == status
        assert "mouse" in answer.text
