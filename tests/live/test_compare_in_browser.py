"""Two atlases compared in a real browser: drawn for both, fooled, matched, by mouse and by keys."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from chromium import BROKEN, IN_CHROMIUM, OVERFLOWING, SCROLL_WIDTH, serving
from fuzz import small_atlas
from phosphene.data import ArrayDataset
from phosphene.live.exhibits import Exhibit
from phosphene.network import Input, Network
from phosphene.probes.subject import InMemory

pytestmark = IN_CHROMIUM

LABELS = ("left", "right", "top")
WIDE = 40


class Halves(nn.Module):
    """Which half of a picture is the lighter, and a layer of units, some by chance alike."""

    def __init__(self, seed: int, sign: float) -> None:
        super().__init__()
        self.conv = nn.Linear(3 * 81, WIDE)
        self.fc = nn.Linear(3 * 81, 3)
        left, top = torch.zeros(3, 9, 9), torch.zeros(3, 9, 9)
        left[:, :, :4], top[:, :4] = 1, 1
        self.fc.weight.data = torch.stack([left, left.flip(2), top]).flatten(1) * sign
        self.fc.bias.data.zero_()
        noise = torch.randn(WIDE, 243, generator=torch.Generator().manual_seed(seed))
        noise[: WIDE // 2] = torch.randn(
            WIDE // 2, 243, generator=torch.Generator().manual_seed(9)
        ).roll(seed, 0)
        self.conv.weight.data = noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        return self.fc(flat) + 0 * self.conv(flat).sum(1, keepdim=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = small_atlas(tmp_path_factory.mktemp("compare") / "net.atlas")
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (200, 3, 9, 9), generator=generator).byte()
    data = ArrayDataset(pictures, name="noise")
    networks = [
        Network(Halves(seed, sign).eval(), Input(3, (9, 9)), LABELS, name=name)
        for name, seed, sign in (("One", 0, 1.0), ("Two", 1, 1.0), ("Upside", 2, -1.0))
    ]
    exhibits = [
        Exhibit(name, path, network, source=InMemory(network, data))
        for name, network in zip(("one", "two", "third"), networks, strict=True)
    ]
    with serving(exhibits) as address:
        yield address


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found, wrong = context.new_page(), []
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.refused = wrong.clear  # browsers call an answer that says no an error
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(f"{server}/one/compare?with=two")
    found.wait_for_selector("#bars li")
    yield found
    context.close()
    assert wrong == []


def draw(page: Any, x: float) -> None:
    """A dark stroke from top to bottom, where there is light paper."""
    box = page.locator("#canvas").bounding_box()
    page.fill("#colour", "#000000")
    page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.9 * box["height"], steps=8)
    page.mouse.up()


def first(page: Any, id: str) -> str:
    return str(page.inner_text(f"#{id} li:first-child .name"))


def reads(page: Any, id: str, name: str) -> None:
    page.wait_for_function(
        "([id, name]) => document.querySelector(`#${id} .name`)?.textContent === name",
        arg=[id, name],
    )


def test_both_networks_read_what_is_drawn(page: Any) -> None:
    draw(page, 0.2)
    reads(page, "bars", "right")
    reads(page, "beside-bars", "right")
    page.wait_for_function(
        "() => document.querySelector('#beside-told').textContent.includes('same')"
    )
    page.focus("#canvas")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    reads(page, "bars", "left")


def test_another_is_chosen_and_the_picture_comes_along(page: Any, server: str) -> None:
    draw(page, 0.2)
    reads(page, "bars", "right")
    assert page.input_value("#beside") == "two"
    page.select_option("#beside", "third")
    page.wait_for_url(f"{server}/one/compare?with=third#**")
    reads(page, "bars", "right")
    page.wait_for_function(
        "() => document.querySelector('#beside-told').textContent === 'They differ.'"
    )
    assert first(page, "beside-bars") != "right"
    assert page.get_attribute("#both", "data-other") == "third"


def test_a_picture_is_fooled_by_keys_and_shown_to_both(page: Any) -> None:
    draw(page, 0.2)
    reads(page, "bars", "right")
    page.wait_for_timeout(300)
    page.focus("#fool-goal")
    page.keyboard.press("l")  # left
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#fooled:not([hidden])")
    assert page.inner_text("#fool-told").startswith("It fools both: One reads left")
    assert first(page, "fool-one") == first(page, "fool-two") == "left"
    assert page.inner_text("#fool-one-was").startswith("It read right")
    for part in ("original", "change", "changed"):
        assert page.evaluate(f"() => document.querySelector('#fool-{part} img').naturalWidth") == 9
    page.select_option("#fool-goal", label="right")
    page.click("#fool button")
    page.wait_for_function(
        "() => document.getElementById('fool-told').textContent.includes('reads right already')"
    )
    assert page.is_hidden("#fooled")
    page.refused()


def test_units_are_matched_shown_page_by_page_and_lead_to_their_pages(page: Any) -> None:
    page.select_option("#match-layer", "fc")
    assert page.input_value("#match-other") == "fc"
    page.select_option("#match-layer", "conv")
    assert page.input_value("#match-other") == "conv"
    page.focus("#match-pictures")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pairs li.pair:nth-child(24)")
    assert "as 1 % do by chance" in page.inner_text("#match-told").replace("\u00a0", " ")
    assert page.inner_text("#match-by").startswith("By all 200 of noise. Permuted 10 times")
    told = page.locator("#pairs .pair b").all_inner_texts()
    assert told[:20] == ["1"] * 20
    assert page.locator("#pairs .line").count() == 1
    kinds = page.evaluate(
        "() => [...document.querySelectorAll('#pairs > li')].map(e => e.className)"
    )
    at = kinds.index("line")
    assert at >= 20
    assert (set(kinds[:at]), set(kinds[at + 1 :])) == ({"pair"}, {"pair chance"})
    pair = page.locator("#pairs .pair .unit", has=page.locator("a[href='/one/unit/conv/1']"))
    assert pair.locator("img").count() == 2
    assert pair.locator("img").first.get_attribute("alt") == "Synthetic picture of conv:1"
    page.click("#pairs-more")
    page.wait_for_selector("#pairs-more", state="hidden")
    assert page.locator("#pairs .pair").count() == WIDE
    page.locator("#pairs a[href='/two/unit/conv/1']").click()
    page.wait_for_url("**/two/unit/conv/1")


def test_pictures_out_of_bounds_and_servers_that_are_gone_are_told(page: Any) -> None:
    page.fill("#match-pictures", "2")
    page.click("#match button")
    assert not page.evaluate("() => document.getElementById('match-pictures').checkValidity()")
    page.fill("#match-pictures", "50")
    page.route("**/api/one/match", lambda route: route.abort())
    page.click("#match button")
    page.wait_for_function(
        "() => document.getElementById('match-told').textContent.includes('does not answer')"
    )
    page.refused()


def test_the_overview_and_the_bench_lead_here(page: Any, server: str) -> None:
    for path in ("one/", "one/bench"):
        page.goto(f"{server}/{path}")
        page.get_by_role("link", name="Compare", exact=True).click()
        page.wait_for_url(f"{server}/one/compare")
        page.wait_for_selector("#beside-bars li")
    page.refused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_cut_or_broken(browser: Any, server: str, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server}/one/compare?with=two")
    page.wait_for_selector("#bars li")
    page.select_option("#fool-goal", label="right")
    page.click("#fool button")
    page.wait_for_selector("#fooled:not([hidden])")
    page.click("#match button")
    page.wait_for_selector("#pairs .line")
    page.click("details.both summary")
    page.wait_for_load_state("networkidle")
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(SCROLL_WIDTH) <= width
    assert page.evaluate(BROKEN) == []
    context.close()
