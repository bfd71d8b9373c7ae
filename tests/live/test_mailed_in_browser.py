"""The page that runs a network by itself, in a real browser: what PyTorch answers, from a file."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import tiny
from chromium import BROKEN, IN_CHROMIUM, OVERFLOWING, SCROLL_WIDTH
from live import mailable
from live.test_bench_in_browser import draw
from phosphene import attribution
from phosphene.atlas import Atlas
from phosphene.figures import export_site
from phosphene.live.exhibits import Exhibit
from phosphene.live.mailed.files import ENGINE, bench_files, methods_of, network_of
from phosphene.live.mailed.traced import program_of
from phosphene.live.readings import Asked, read
from phosphene.network import Input, Network

pytestmark = IN_CHROMIUM

DRAW = "(strokes) => document.dispatchEvent(new CustomEvent('bench:draw', { detail: strokes }))"
STATIC = files("phosphene.live").joinpath("static")
RULES = {"gradient": "plain", "deconvnet": "deconvnet", "guided": "guided"}


@pytest.fixture(scope="module")
def network() -> Network:
    return mailable.made("small")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Path:
    return written(tmp_path_factory.mktemp("mailed"), network)


def written(folder: Path, network: Network) -> Path:
    """The site of a small atlas with a network that is another than its own."""
    from fuzz import small_atlas

    path = small_atlas(folder / "net.atlas")
    exhibit = Exhibit("net", path, network)
    with Atlas.open(path) as atlas:
        export_site(atlas, folder / "site", partial(bench_files, exhibit, program_of(network)[0]))
    return folder / "site"


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found, wrong = context.new_page(), []
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(f"file://{site}/bench.html")
    found.wait_for_selector("#bars li")
    yield found
    context.close()
    assert wrong == []


def asked(page: Any, script: str, argument: Any) -> Any:
    """What a script of the page returns, as one text: a list would be looked through by number."""
    return json.loads(
        page.evaluate(f"(argument) => JSON.stringify(({script})(argument))", argument)
    )


def numbers(value: Any) -> np.ndarray:
    return np.array(value, np.float64)


@pytest.mark.parametrize("name", mailable.NAMES)
def test_the_engine_answers_as_pytorch(browser: Any, name: str) -> None:
    network = mailable.made(name)
    program, _ = program_of(network)
    told = json.dumps(network_of(network, program))
    page = browser.new_page()
    page.add_script_tag(content=f"globalThis.phosphene = {{ network: {told} }};")
    for script in ENGINE:
        page.add_script_tag(content=STATIC.joinpath(script).read_text("utf-8"))
    page.evaluate(
        "() => { phosphene.parts.forEach((part) => part(phosphene));"
        " window.engine = phosphene.engine(phosphene.network); }"
    )
    pictures = tiny.pictures(network, count=3, seed=5).contiguous()
    recording = network.record(pictures)
    scores = network.class_scores(pictures)
    methods = set(methods_of(network)) & set(RULES)
    for row, picture in enumerate(pictures):
        wanted = [*program.layers.values(), program.scores]
        values = asked(
            page,
            "([x, wanted]) => { window.values = engine.forward(x, wanted);"
            " return wanted.map((i) => [...values[i]]); }",
            [picture.flatten().tolist(), wanted],
        )
        assert np.abs(numbers(values[-1]) - scores[row].numpy()).max() < 1e-4
        for layer, value in zip(program.layers, values, strict=False):
            expected = mailable.units_first(recording[layer])[row].flatten().numpy()
            assert np.allclose(numbers(value), expected, rtol=1e-4, atol=1e-5), layer
        for layer, value in program.layers.items():
            maps = mailable.units_first(recording[layer])[row]
            maps = maps.reshape(len(maps), -1)
            for unit in {0, len(maps) - 1}:
                for method in methods:
                    at = int(maps[unit].argmax())
                    term = _at(network, layer, unit, at)
                    expected = attribution.METHODS[method](network, picture[None], term)[0]
                    found = asked(
                        page,
                        "([value, at, rule]) => [...engine.backward(values, value, at, rule)]",
                        [value, unit * maps.shape[1] + at, RULES[method]],
                    )
                    error = np.abs(numbers(found) - expected.flatten().numpy()).max()
                    assert error <= 1e-4 * float(expected.abs().max()) + 1e-9, (layer, method)
    page.close()


def _at(network: Network, layer: str, unit: int, place: int) -> Any:
    from phosphene.objectives import Channel, Neuron

    shape = network.layers[layer].shape
    if len(shape) == 1:
        return Channel(layer, unit)
    width = shape[2] if len(shape) == 3 else shape[0]
    return Neuron(layer, unit, *divmod(place, width))


def alpha(link: str) -> np.ndarray:
    """How strong an image is at each place."""
    with Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))) as image:
        return np.asarray(image)[..., 3].astype(int)


@pytest.mark.parametrize(
    "asks",
    [
        ("*", "gradient", ""),
        ("naïve", "gradient x input", "8"),
        ("2:1", "guided", "2"),
        ("5:3", "deconvnet", "6"),
        ("3:2@1,3", "gradient", "3"),
    ],
)
def test_the_page_answers_as_a_server(
    page: Any, network: Network, link: Callable[..., str], asks: tuple[str, str, str]
) -> None:
    unit, method, wall = asks
    asked = {"picture": link(), "unit": unit, "method": method, "wall": wall}
    found = page.evaluate(
        """async (asked) => {
          const element = new Image();
          element.src = asked.picture;
          await element.decode();
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [element.width, element.height];
          canvas.getContext("2d").drawImage(element, 0, 0);
          const told = await (await phosphene.reader.ask("read", asked, canvas)).json();
          told.look.alpha = Array.from(told.look.map.bytes).filter((_, i) => i % 4 === 3);
          return told;
        }""",
        asked,
    )
    expected = read(network, Asked(**asked), lambda number: torch.zeros(1)).model_dump()
    assert [bar["name"] for bar in found["bars"]] == [bar["name"] for bar in expected["bars"]]
    shares = [[bar["share"] for bar in each["bars"]] for each in (found, expected)]
    assert np.allclose(*shares, atol=1e-5)
    for key in ("unit", "words", "told"):
        assert found["look"][key] == expected["look"][key]
    strengths = alpha(expected["look"]["src"])
    assert np.abs(np.reshape(found["look"]["alpha"], strengths.shape) - strengths).max() <= 1
    if wall:
        for key in ("layer", "units", "columns", "width", "height"):
            assert found["wall"][key] == expected["wall"][key]
        assert np.allclose(found["wall"]["strongest"], expected["wall"]["strongest"], atol=1e-5)
        assert np.abs(alpha(found["wall"]["src"]) - alpha(expected["wall"]["src"])).max() <= 1


class Slow(nn.Module):
    """Takes a second or so in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1 if i == 0 else 32, 32, 7, padding=3) for i in range(14))
        )
        self.fc = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(x).mean((2, 3)))


def opened(browser: Any, site: Path, before: str = "") -> Any:
    """The bench of a site after a script."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.add_init_script(before)
    page.goto(f"file://{site}/bench.html")
    return page


@pytest.fixture(scope="module")
def slow_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = Network(tiny.seeded(Slow).eval(), Input(1, (48, 48)), ("a", "b", "c"))
    return written(tmp_path_factory.mktemp("slow"), network)


@pytest.mark.parametrize("worker", [True, False])
def test_a_large_network_leaves_the_page_free_and_its_newest_picture_wins(
    browser: Any, slow_site: Path, worker: bool
) -> None:
    """Frames are painted while it reads, in a worker or a little at a time where there is none."""
    page = opened(browser, slow_site, "" if worker else "delete window.Worker;")
    page.wait_for_selector("#bars li", timeout=60_000)
    page.wait_for_selector("#reading", state="hidden")
    assert len(page.workers) == worker
    page.evaluate(FRAMES)
    page.evaluate(DRAW, [[[0.2, 0.2], [0.8, 0.8]]])
    page.wait_for_selector("#reading", state="visible")
    assert page.inner_text("#reading") == "reading…"
    page.wait_for_timeout(500)
    page.evaluate(DRAW, [[[0.2, 0.8], [0.8, 0.2]]])
    page.wait_for_selector("#reading", state="hidden", timeout=60_000)
    told = page.evaluate("() => seen")
    assert told["asked"] == 2
    assert told["answers"] == [409, 200]
    assert told["frames"] >= 3
    page.context.close()


FRAMES = """() => {
  window.seen = { frames: 0, asked: 0, answers: [] };
  const frame = () => {
    seen.frames += !document.getElementById("reading").hidden;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const { reader } = phosphene;
  const ask = reader.ask;
  reader.ask = async (...of) => {
    seen.asked++;
    const answer = await ask(...of);
    seen.answers.push(answer.status);
    return answer;
  };
}"""


@pytest.mark.parametrize(
    "without",
    ["window.Worker = function () { throw new Error('refused'); };",
     "window.Worker = class { constructor() { setTimeout(() => this.onerror(new Event('error', "
     "{ cancelable: true })), 50); } postMessage() {} terminate() {} };"],
)  # fmt: skip
def test_without_a_worker_the_page_reads_by_itself(
    browser: Any, slow_site: Path, without: str
) -> None:
    page, plain = opened(browser, slow_site, without), opened(browser, slow_site)
    for each in (page, plain):
        each.wait_for_selector("#map:not([hidden])", timeout=60_000)
    assert (len(page.workers), len(plain.workers)) == (0, 1)
    assert page.inner_text("#bars") == plain.inner_text("#bars")
    assert page.inner_text("#told") == plain.inner_text("#told")
    page.context.close()
    plain.context.close()


def test_a_small_network_is_read_where_it_is_drawn(page: Any) -> None:
    assert page.workers == []


def test_pictures_of_two_channels_come_from_the_data_as_they_were_kept(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny.network("rectified")
    picture = torch.rand(network.input.shape, generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(Exhibit, "images", (4,))
    monkeypatch.setattr(Exhibit, "picture", lambda self, number: picture)
    page = opened(browser, written(tmp_path, network))
    page.wait_for_function("() => document.getElementById('told').textContent.includes('channels')")
    assert "takes 2 channels" in page.inner_text("#told")
    page.click("#sample")
    page.wait_for_selector("#bars li")
    expected = network.probabilities(picture[None])[0]
    page.wait_for_selector("#map:not([hidden])")
    best = int(expected.argmax())
    assert page.inner_text("#bars li:first-child .name") == str(best)
    assert page.inner_text("#bars li:first-child .value") == f"{100 * expected[best]:.1f} %"
    page.click("[data-move=left]")
    page.wait_for_function("() => document.getElementById('told').textContent.includes('moved')")
    page.context.close()


def test_grey_is_what_a_server_sees(page: Any, link: Callable[..., str]) -> None:
    """Of all colours of a picture, as Pillow makes them grey."""
    with Image.open(io.BytesIO(base64.b64decode(link().partition(",")[2]))) as image:
        expected, pixels = np.asarray(image.convert("L")), np.asarray(image).reshape(-1, 3)
    assert page.evaluate(
        "(all) => all.map(([r, g, b]) => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16)",
        pixels.tolist(),
    ) == expected.flatten().tolist()  # fmt: skip


def test_what_is_drawn_is_read_and_its_units_are_chosen(page: Any, site: Path) -> None:
    before = page.inner_text("#told")
    draw(page, (0.2, 0.2), (0.8, 0.8))
    page.wait_for_function(
        "(before) => document.getElementById('told').innerText !== before", arg=before
    )
    page.select_option("#layer", "4")
    page.wait_for_selector("#wall button:nth-child(6)")
    page.click("#wall button:nth-child(3)")
    page.wait_for_function("() => document.getElementById('told').textContent.includes('4:2')")
    page.fill("#unit", "9:9")
    page.press("#unit", "Enter")
    page.wait_for_function("() => document.getElementById('told').textContent.includes('no layer')")
    assert page.is_hidden("#map")
    page.click("#sample")
    page.wait_for_function(
        "() => document.getElementById('status').textContent.includes('of the data')"
    )
    assert page.query_selector("#apart, #goal") is None
    assert "integrated gradients" in page.inner_text(".intro")


def test_units_that_have_a_page_are_linked(page: Any, site: Path) -> None:
    written = {path.name for path in site.glob("unit-*.html")}
    linked = page.evaluate(
        "() => Object.entries(phosphene.network.pages).flatMap(([layer, { units }]) =>"
        " units.map((unit) => phosphene.reader.page(layer, String(unit))))"
    )
    assert set(linked) == written
    assert page.evaluate("() => phosphene.reader.page('conv', '99')") == ""
    assert 'href="bench.html"' in (site / "index.html").read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_cut_or_broken(browser: Any, site: Path, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for name in ("index.html", "bench.html"):
        page.goto(f"file://{site}/{name}")
        if name == "bench.html":
            page.wait_for_selector("#map:not([hidden])")
        assert page.evaluate(OVERFLOWING) == [], name
        assert page.evaluate(SCROLL_WIDTH) <= width, name
        assert page.evaluate(BROKEN) == [], name
    context.close()
