"""The bench in a real browser: drawn with a mouse, moved by keys, asked for units, shared."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tiny
from chromium import BROKEN, IN_CHROMIUM, OVERFLOWING, SCROLL_WIDTH, serving
from fuzz import small_atlas
from live.conftest import small
from phosphene.live.exhibits import Exhibit
from phosphene.network import Input, Network

pytestmark = IN_CHROMIUM


class Halves(nn.Module):
    """Classes that say which half of a grey picture is the lighter."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = nn.Conv2d(1, 4, 16)
        weights = torch.zeros(4, 1, 16, 16)
        weights[0, :, :, :8], weights[1, :, :, 8:] = 1, 1
        weights[2, :, :8], weights[3, :, 8:] = 1, 1
        self.sides.weight.data = weights - weights.mean((1, 2, 3), keepdim=True)
        self.sides.bias.data.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sides(x).flatten(1)


class Upside(Halves):
    """The same with left and right, top and bottom the other way about."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -super().forward(x)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    labels = ("left", "right", "top", "bottom")
    network = Network(tiny.seeded(Halves).eval(), Input(1, (16, 16)), labels, name="Halves")
    path = small_atlas(tmp_path_factory.mktemp("live") / "net.atlas", image=(1, 16, 16))
    other = Network(tiny.seeded(Upside).eval(), Input(1, (16, 16)), labels, name="Upside")
    exhibits = [
        Exhibit("net", path, network),
        Exhibit("bare", path, missing="give --weights FILE"),
        Exhibit("other", path, other),
    ]
    with serving(exhibits) as address:
        yield address


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a network with hidden units."""
    labels = ("cat", "dog", "naïve")
    network = Network(tiny.seeded(small).eval(), Input(3, (9, 9)), labels, name="Net")
    path = small_atlas(tmp_path_factory.mktemp("deep") / "net.atlas")
    with serving([Exhibit("net", path, network)]) as address:
        yield address


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found, wrong = context.new_page(), []
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.refused = wrong.clear  # browsers call an answer that says no an error
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(f"{server}/net/bench")
    found.wait_for_selector("#bars li")
    yield found
    context.close()
    assert wrong == []


def draw(page: Any, *points: tuple[float, float]) -> None:
    """A stroke through points, given as shares of the canvas."""
    box = page.locator("#canvas").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def reads(page: Any, name: str) -> None:
    """Wait until the first bar has that name."""
    page.wait_for_function(
        "name => document.querySelector('#bars .name').textContent === name", arg=name
    )


def test_what_is_drawn_is_read_moved_undone_and_erased(page: Any) -> None:
    ink = page.evaluate("() => JSON.parse(document.getElementById('bench').dataset.setting).paper")
    light, dark = ("left", "right") if ink < 128 else ("right", "left")
    draw(page, (0.2, 0.2), (0.2, 0.8))
    reads(page, light)
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    reads(page, dark)
    assert "moved 10 right" in page.inner_text("#status")
    page.keyboard.press("Control+z")
    reads(page, light)
    page.keyboard.press("Control+Shift+z")
    reads(page, dark)
    page.click("[data-move=back]")
    reads(page, light)
    page.click("#eraser")
    draw(page, (0.2, 0.1), (0.2, 0.9))
    page.click("#pen")
    draw(page, (0.2, 0.85), (0.8, 0.85))
    reads(page, "bottom" if ink < 128 else "top")
    assert page.is_enabled("#undo")
    page.click("#clear")
    page.wait_for_function("() => document.querySelector('#bars .value').textContent === '25.0 %'")


def test_a_unit_is_chosen_from_the_wall_a_class_from_the_bars(page: Any) -> None:
    draw(page, (0.2, 0.2), (0.2, 0.8))
    page.select_option("#layer", "sides")
    page.wait_for_selector("#wall button:nth-child(4)")
    page.click("#wall button:nth-child(3)")
    page.wait_for_function("() => document.getElementById('told').textContent.includes('sides:2')")
    assert page.input_value("#unit") == "sides:2"
    assert page.get_attribute("#told a", "href") == "/net/unit/sides/2"
    page.click("#bars li:nth-child(2) button")
    name = page.inner_text("#bars li:nth-child(2) .name")
    page.wait_for_function(
        "name => document.getElementById('told').textContent.includes(name)", arg=name
    )
    assert page.evaluate("() => document.getElementById('map').naturalWidth") == 16
    page.fill("#unit", "sides:9")
    page.press("#unit", "Enter")
    page.wait_for_function("() => document.getElementById('told').textContent.includes('9')")
    page.wait_for_selector("#map", state="hidden")
    page.refused()


def test_a_link_brings_the_picture_and_what_was_asked(page: Any, server: str) -> None:
    draw(page, (0.8, 0.2), (0.8, 0.8))
    page.fill("#unit", "sides:1")
    page.press("#unit", "Enter")
    page.wait_for_function("() => location.hash.includes('sides')")
    page.wait_for_timeout(500)  # the last stroke is read
    first = page.inner_text("#bars")
    page.evaluate("() => { navigator.clipboard.writeText = async t => { window.copied = t; } }")
    page.click("#link")
    page.wait_for_function("() => window.copied")
    link = page.evaluate("() => window.copied")
    assert re.match(rf"{server}/net/bench#unit=sides", link)
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_function(
        "first => document.getElementById('bars').innerText === first", arg=first
    )
    assert other.input_value("#unit") == "sides:1"
    other.close()


def test_a_photograph_is_opened_from_a_file(page: Any, tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, 50:] = 255  # its middle square is light on the right
    Image.fromarray(pixels).save(tmp_path / "half.png")
    page.set_input_files("#file", tmp_path / "half.png")
    reads(page, "right")
    (tmp_path / "none.png").write_bytes(b"no image")
    page.set_input_files("#file", tmp_path / "none.png")
    page.wait_for_function(
        "() => document.getElementById('status').textContent.includes('no image')"
    )
    reads(page, "right")


def test_another_network_reads_beside_it(page: Any) -> None:
    assert page.locator("#beside option").all_inner_texts() == ["nobody", "other: Upside"]
    draw(page, (0.2, 0.2), (0.2, 0.8))
    page.select_option("#beside", "other")
    page.wait_for_function("() => document.querySelector('#beside-told').textContent")
    page.wait_for_timeout(300)
    first = page.inner_text("#bars li:first-child .name")
    other = page.inner_text("#beside-bars li:first-child .name")
    assert {first, other} == {"left", "right"}
    assert page.inner_text("#beside-told") == "They differ."
    page.click("#beside-bars li:first-child button")
    page.wait_for_function("() => location.pathname === '/other/bench'")
    page.wait_for_function(
        "name => document.getElementById('told').textContent.includes(name)", arg=other
    )
    reads(page, other)


def test_a_picture_is_moved_everywhere_led_elsewhere_and_taken_apart(page: Any) -> None:
    draw(page, (0.2, 0.2), (0.2, 0.8))
    page.wait_for_timeout(300)
    first = page.inner_text("#bars li:first-child .name")
    page.click("#everywhere")
    page.wait_for_selector("#moves:not([hidden])")
    assert f"are read as {first}" in page.inner_text("#further")
    goal = "top" if first != "top" else "bottom"
    page.select_option("#goal", label=goal)
    page.click("#morph")
    page.wait_for_function("() => document.getElementById('further').textContent.includes('after')")
    reads(page, goal)
    page.click("#undo")
    reads(page, first)
    page.click("#apart")
    page.wait_for_function("() => document.getElementById('parts-told').textContent.length > 3")
    page.refused()


def value(page: Any, name: str) -> str:
    """What stands beside a class."""
    return page.locator("#bars button", has_text=name).locator(".value").inner_text()


def test_units_are_removed_kept_and_raised_while_one_draws(page: Any, server: str) -> None:
    draw(page, (0.2, 0.2), (0.2, 0.8))
    page.wait_for_timeout(300)
    first = page.inner_text("#bars li:first-child .name")
    before = value(page, first)
    unit = page.get_attribute("#told", "data-unit")
    page.select_option("#changes-over", "zero")  # the data of this atlas are of another network
    page.click("[data-how=remove]")
    page.wait_for_selector("#changes li")
    page.wait_for_function("() => document.getElementById('bars').innerText.includes('was')")
    assert value(page, first).endswith(f"was {before}")
    assert unit in page.inner_text("#changes")
    assert "Removed units are zero." in page.inner_text("#changes-told")
    assert page.is_visible("#unchanged")
    draw(page, (0.8, 0.2), (0.8, 0.8))  # it stays
    page.wait_for_timeout(300)
    assert page.locator("#bars .was").first.is_visible()
    page.fill("#unit", "sides:2")
    page.press("#unit", "Enter")
    page.wait_for_function("() => document.getElementById('told').dataset.unit === 'sides:2'")
    page.click("[data-how=raise]")
    page.wait_for_selector("#changes input[type=range]")
    slider = page.get_by_label("How many times as much sides:2 answers")
    slider.focus()
    page.keyboard.press("End")
    assert page.inner_text("#changes output") == "× 10"
    page.wait_for_function("() => decodeURIComponent(location.hash).includes('raise+sides%3A2+10')")
    link = page.url
    page.select_option("#changes li:last-child select", "keep")
    page.wait_for_selector("#changes input[type=range]", state="detached")
    page.click("#changes-undo")
    page.wait_for_selector("#changes input[type=range]")
    assert page.locator("#changes li").count() == 2
    for left in (2, 1, 0):
        page.click("#changes-undo")
        if left < 2:
            page.wait_for_function(
                f"() => document.querySelectorAll('#changes li').length <= {left}"
            )
    other = page.context.new_page()
    other.goto(link)
    other.wait_for_selector("#changes li:nth-child(2)")
    assert other.inner_text("#changes output") == "× 10"
    other.click("#changes-none")
    other.wait_for_selector("#changes li", state="detached")
    assert other.is_hidden("#unchanged")
    other.close()


def test_a_part_is_removed_from_its_tree(browser: Any, deep: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{deep}/net/bench#unit=dog")
    page.wait_for_selector("#bars li")
    page.click("#sample")
    page.click("#apart")
    page.wait_for_selector("#tree svg g")
    part = page.locator("#tree svg g").nth(1)
    name = part.locator(".name").text_content()
    (
        part.locator("xpath=ancestor::*[name()='a']")
        if part.evaluate("one => !!one.closest('a')")
        else part
    ).press("Enter")
    assert page.inner_text("#part-name").startswith(name)
    told = page.inner_text("#told")
    page.keyboard.press("Enter")  # the first button is there now
    page.wait_for_function("told => document.getElementById('told').innerText !== told", arg=told)
    assert part.get_attribute("data-change") == "remove"
    without = part.locator("tspan").last.text_content()
    answers = page.inner_text("#told").replace("−", "-")
    now, was = (float(each) for each in re.findall(r"answers (\S+), and (\S+) before", answers)[0])
    expected = float(re.search(r"[-+][\d.]+", without.replace("−", "-"))[0])
    assert abs(now - was - expected) < 0.02
    page.close()


@pytest.fixture(scope="module")
def digits_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A network of ten classes, which can go on every tour."""
    network = Network(tiny.seeded(Ten).eval(), Input(1, (16, 16)), [str(i) for i in range(10)])
    path = small_atlas(tmp_path_factory.mktemp("ten") / "net.atlas")
    with serving([Exhibit("net", path, network)]) as address:
        yield address


class Ten(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(54, 10)
        )


def tabbed(page: Any, key: str, goal: str) -> None:
    """Press a key until what has the focus has that id or text."""
    for _ in range(60):
        page.keyboard.press(key)
        if goal in page.evaluate(
            "() => [document.activeElement.id, document.activeElement.textContent]"
        ):
            return
    raise AssertionError(f"{key} does not lead to {goal}")


def test_every_tour_is_walked_from_end_to_end_by_keyboard(browser: Any, digits_server: str) -> None:
    """Tab to it, Enter on each step, Back once, and End; nothing else is touched."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{digits_server}/net/bench")
    page.wait_for_selector("#bars li")
    titles = page.locator("#tours button").all_inner_texts()
    assert len(titles) == 6
    for number, title in enumerate(titles):
        page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
        tabbed(page, "Tab", title)
        page.keyboard.press("Enter")
        page.wait_for_selector("#tour:not([hidden])")
        assert page.evaluate("() => document.activeElement.id") == "tour-next"
        assert page.inner_text("#tour-story").startswith("The walk-through “")
        assert page.inner_text("#tour-title").startswith(f"{title}, 1 of ")
        steps, told = (
            int(page.inner_text("#tour-title").split()[-1]),
            [page.inner_text("#tour-said")],
        )
        for step in range(2, steps + 1):
            page.keyboard.press("Enter")
            assert page.inner_text("#tour-title") == f"{title}, {step} of {steps}"
            assert not page.is_visible("#tour-story")
            told.append(page.inner_text("#tour-said"))
        assert len(set(told)) == steps > 1, number
        assert page.inner_text("#tour-next") == "End"
        tabbed(page, "Shift+Tab", "tour-back")
        page.keyboard.press("Enter")
        assert page.inner_text("#tour-said") == told[-2]
        tabbed(page, "Tab", "tour-next")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_selector("#tour", state="hidden")
        focused = page.evaluate("() => document.activeElement.textContent")
        assert focused == title  # back where it began
    page.wait_for_timeout(500)
    context.close()
    assert wrong == []


def test_tours_of_digits_are_for_digits(page: Any) -> None:
    titles = page.locator("#tours button").all_inner_texts()
    assert "Fooling" not in titles
    assert "One unit, one picture" in titles


def test_an_image_of_the_data_is_brought(page: Any) -> None:
    page.click("#sample")
    page.wait_for_function(
        "() => document.getElementById('status').textContent.includes('of the data')"
    )
    page.wait_for_load_state("networkidle")
    assert "%" in page.inner_text("#bars")


def test_units_are_found_from_the_bench(page: Any) -> None:
    """Below the policy of the server, and without moving the picture by what is typed."""
    page.keyboard.press("/")
    page.locator("#search").press_sequentially("conv:1")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/net/unit/conv/1")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/net/unit/conv/0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_cut_or_broken(browser: Any, server: str, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for path in ("net/", "net/bench", "bare/bench"):
        page.goto(f"{server}/{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate(OVERFLOWING) == [], path
        assert page.evaluate(SCROLL_WIDTH) <= width, path
        assert page.evaluate(BROKEN) == [], path
    assert "give --weights FILE" in page.inner_text("main")
    context.close()
