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

import tiny
from figures.test_site_in_browser import BROKEN, CHROMIUM, OVERFLOWING, SCROLL_WIDTH, SWITCHES
from live import mailable
from live.test_bench_in_browser import draw
from phosphene import attribution
from phosphene.atlas import Atlas
from phosphene.figures import export_site
from phosphene.live.exhibits import Exhibit
from phosphene.live.mailed.files import bench_files, methods_of, network_of
from phosphene.live.mailed.traced import program_of
from phosphene.live.readings import Asked, read
from phosphene.network import Network

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no Chromium at {CHROMIUM}"),
]

STATIC = files("phosphene.live").joinpath("static")
RULES = {"gradient": "plain", "deconvnet": "deconvnet", "guided": "guided"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture(scope="module")
def network() -> Network:
    return mailable.made("small")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Path:
    from fuzz import small_atlas

    folder = tmp_path_factory.mktemp("mailed")
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


def numbers(value: Any) -> np.ndarray:
    return np.array(value, np.float64)


@pytest.mark.parametrize("name", mailable.NAMES)
def test_the_engine_answers_as_pytorch(browser: Any, name: str) -> None:
    network = mailable.made(name)
    program, _ = program_of(network)
    told = json.dumps(network_of(network, program))
    page = browser.new_page()
    page.add_script_tag(content=f"globalThis.phosphene = {{ network: {told} }};")
    page.add_script_tag(content=STATIC.joinpath("bench-engine.js").read_text("utf-8"))
    page.evaluate("() => { window.engine = phosphene.engine(phosphene.network); }")
    pictures = tiny.pictures(network, count=3, seed=5).contiguous()
    recording = network.record(pictures)
    scores = network.class_scores(pictures)
    for row, picture in enumerate(pictures):
        wanted = [*program.layers.values(), program.scores]
        values = page.evaluate(
            "([x, wanted]) => { window.values = engine.forward(x, wanted);"
            " return wanted.map((i) => [...values[i]]); }",
            [picture.flatten().tolist(), wanted],
        )
        assert np.abs(numbers(values[-1]) - scores[row].numpy()).max() < 1e-4
        for layer, value in zip(program.layers, values, strict=False):
            expected = recording[layer][row].flatten().numpy()
            assert np.allclose(numbers(value), expected, rtol=1e-4, atol=1e-5), layer
        for layer, value in program.layers.items():
            units = len(recording[layer][row])
            for unit in {0, units - 1}:
                for method in set(methods_of(network)) & set(RULES):
                    maps = recording[layer][row].reshape(units, -1)
                    at = int(maps[unit].argmax())
                    term = _at(network, layer, unit, at)
                    expected = attribution.METHODS[method](network, picture[None], term)[0]
                    found = page.evaluate(
                        "([value, at, rule]) => [...engine.backward(values, value, at, rule)]",
                        [value, unit * maps.shape[1] + at, RULES[method]],
                    )
                    error = np.abs(numbers(found) - expected.flatten().numpy()).max()
                    assert error <= 1e-4 * float(expected.abs().max()) + 1e-9, (layer, method)
    page.close()


def _at(network: Network, layer: str, unit: int, place: int) -> Any:
    from phosphene.objectives import Channel, Neuron

    shape = network.layers[layer].shape
    return (
        Channel(layer, unit) if len(shape) == 1 else Neuron(layer, unit, *divmod(place, shape[2]))
    )


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
          return await (await phosphene.reader.ask("read", asked, canvas)).json();
        }""",
        asked,
    )
    expected = read(network, Asked(**asked), lambda number: torch.zeros(1)).model_dump()
    assert [bar["name"] for bar in found["bars"]] == [bar["name"] for bar in expected["bars"]]
    shares = [[bar["share"] for bar in each["bars"]] for each in (found, expected)]
    assert np.allclose(*shares, atol=1e-5)
    for key in ("unit", "words", "told"):
        assert found["look"][key] == expected["look"][key]
    assert np.abs(alpha(found["look"]["src"]) - alpha(expected["look"]["src"])).max() <= 1
    if wall:
        for key in ("layer", "units", "columns", "width", "height"):
            assert found["wall"][key] == expected["wall"][key]
        assert np.allclose(found["wall"]["strongest"], expected["wall"]["strongest"], atol=1e-5)
        assert np.abs(alpha(found["wall"]["src"]) - alpha(expected["wall"]["src"])).max() <= 1


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
