"""A picture that is led to a class on one network, and what another reads in it."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from torch import nn

import tiny
from fuzz import small_atlas
from phosphene.live.application import live_app
from phosphene.live.exhibits import Exhibit
from phosphene.live.fooled import as_taken
from phosphene.live.guard import Guard
from phosphene.network import Input, Network

CLASSES = ("cat", "dog", "naïve")
COLOUR = Input(3, (9, 9))


def net(module: nn.Module, name: str, labels: tuple[str, ...] = CLASSES) -> Network:
    return Network(module, COLOUR, labels, name=name)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_atlas(tmp_path_factory.mktemp("fooled") / "net.atlas")


class Halves(nn.Module):
    """Its classes say which half of a picture is the lighter, as steeply as is said."""

    def __init__(self, steep: float = 1.0) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 81, 3, bias=False)
        left = torch.zeros(3, 9, 9)
        left[:, :, :4] = steep
        rows = torch.zeros(3, 9, 9)
        rows[:, :4] = steep
        self.fc.weight.data = torch.stack([left, left.flip(2), rows]).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def fooling(path: Path, second: Network) -> TestClient:
    exhibits = [Exhibit("one", path, net(Halves(), "One")), Exhibit("two", path, second)]
    return TestClient(Guard(live_app(exhibits)), base_url="http://localhost")


def left_light() -> str:
    pixels = np.full((9, 9, 3), 90, np.uint8)
    pixels[:, :4] = 130
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def opened(link: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))))


def fooled(client: TestClient, **asked: str | float) -> dict[str, object]:
    body = {"picture": left_light(), "other": "two", "unit": "dog"} | asked
    answer = client.post("/api/one/fool", json=body)
    return answer.json() | {"status": answer.status_code}


@pytest.mark.later
def test_a_picture_that_fools_both_says_so(path: Path) -> None:
    one = net(Halves(), "One")
    found = fooled(fooling(path, net(Halves(), "Two")))
    assert str(found["words"]).startswith("It fools both: One reads dog, ")
    changed = torch.from_numpy(opened(found["changed"]).copy()).permute(2, 0, 1)[None] / 255
    shares = one.probabilities(changed)[0]
    assert float(shares[1]) == pytest.approx(found["one"]["after"][0]["share"], abs=0.01)
    assert found["one"]["after"][0]["share"] >= 0.99
    assert found["one"]["before"][0]["name"] == "cat"
    assert found["one"]["after"] == found["two"]["after"]
    before, after = opened(found["original"]).astype(int), opened(found["changed"]).astype(int)
    assert before.shape == after.shape == opened(found["change"]).shape == (9, 9, 3)
    assert before[0, 0, 0] == 130
    assert (after[:, 5:] >= before[:, 5:]).all()
    largest = np.abs(after - before).max() / 255
    assert f"no pixel by more than {100 * largest:.0f}" in str(found["words"]).replace(".0", "")


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (lambda: net(nn.Sequential(nn.Flatten(), Constant()), "Two"), "It fools only the first"),
        (lambda: net(Upside(), "Two"), "and did so before the change"),
        (
            lambda: net(Halves(), "Two", labels=("cat", "hound", "naïve")),
            "no longer cat, but not what was aimed at; it has no class dog",
        ),
    ],
)
def test_what_the_other_reads_is_told_as_it_is(
    path: Path, second: Callable[[], Network], words: str
) -> None:
    found = fooled(fooling(path, second()))
    assert words in str(found["words"])
    assert found["one"]["fooled"] is True


class Constant(nn.Module):
    """It reads the first class in everything."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(243, 3)
        self.fc.weight.data.zero_()
        self.fc.bias.data = torch.tensor([3.0, 0.0, 0.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x)


class Upside(Halves):
    """It reads the darker half, and a little less of it once that was made lighter."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -super().forward(x) + torch.tensor([0.0, 99.0, 0.0])


@pytest.mark.slow
def test_who_is_not_fooled_and_who_needs_not_be_is_told(path: Path) -> None:
    client = fooling(path, net(Halves(), "Two"))
    slow = fooled(client, rate=1e-6)
    assert str(slow["words"]).startswith("It fools nobody: One reads cat, and gives dog ")
    assert slow["one"]["fooled"] is False
    same = fooled(client, unit="cat")
    assert (same["status"], "One reads cat already" in str(same["detail"])) == (422, True)
    assert fooled(client, unit="hen")["status"] in {404, 422}
    assert fooled(client, other="one")["status"] == 404


def test_another_size_and_other_channels_get_the_picture_as_they_take_it(
    path: Path,
) -> None:
    flat = nn.Sequential(nn.Flatten(), tiny.seeded(lambda: nn.Linear(144, 3)))
    other = Network(flat.eval(), Input(1, (12, 12)), CLASSES, name="Grey")
    found = fooled(fooling(path, other))
    changed = Image.fromarray(opened(found["changed"]))
    grey = as_taken(other, torch.from_numpy(np.asarray(changed).copy()).permute(2, 0, 1) / 255)
    assert grey.shape == (1, 12, 12)
    shares = other.probabilities(grey[None])[0].sort(descending=True).values.tolist()
    assert [each["share"] for each in found["two"]["after"]] == pytest.approx(shares, abs=0.01)
    same = torch.rand(3, 9, 9)
    assert as_taken(net(Halves(), "One"), same) is same
