"""Search, sorting, filters and keys of the pages in a real browser, opened from a disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chromium import IN_CHROMIUM
from phosphene.atlas import Atlas
from phosphene.figures import export_site

SHOWN = "() => [...document.querySelectorAll('.unit:not([hidden])')].map(c => c.dataset.unit)"
FOCUSED = "() => document.activeElement.id || document.activeElement.tagName"

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def site(large_atlas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with Atlas.open(large_atlas) as atlas:
        export_site(atlas, folder)
    return folder


@pytest.fixture
def page(browser: object) -> Iterator[object]:
    """A page that may complain of nothing, and that asks no network."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.fixture(scope="module")
def units(large_atlas: Path) -> list:
    with Atlas.open(large_atlas) as atlas:
        return list(atlas.units("fc1"))


def look_for(page: object, query: str) -> list[str]:
    """The results of a query as text."""
    if page.evaluate(FOCUSED) != "search":
        page.keyboard.press("/")
    page.locator("#search").fill("")
    page.locator("#search").press_sequentially(query)
    page.locator("#results [role=option]").first.wait_for()
    return [" ".join(text.split()) for text in page.locator("#results a").all_inner_texts()]


def at(page: object, name: str) -> None:
    page.wait_for_url(f"**/{name}")


def test_a_unit_is_found_by_its_address(page: object, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    assert page.locator("script").count() == 1  # the index comes when it is asked for
    found = look_for(page, "conv2:17")
    assert found[0].startswith("conv2 channel 17")
    page.keyboard.press("Enter")
    at(page, "unit-conv2-17.html")


def test_results_are_walked_by_keys(page: object, site: Path) -> None:
    page.goto((site / "unit-conv1-0.html").as_uri())
    found = look_for(page, "conv2")
    assert 1 < len(found) <= 12
    assert found[0].startswith("conv2")
    box, options = page.locator("#search"), page.get_by_role("option")
    assert box.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = options.nth(1)
    assert second.get_attribute("aria-selected") == "true"
    assert page.get_by_role("option", selected=True).count() == 1
    assert box.get_attribute("aria-activedescendant") == second.get_attribute("id")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert options.last.get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert page.locator("#results").is_hidden()
    assert box.get_attribute("aria-expanded") == "false"
    assert page.evaluate(FOCUSED) == "search"
    page.keyboard.press("Escape")
    assert page.evaluate(FOCUSED) == "BODY"
    assert box.input_value() == ""
    assert "unit-conv1-0.html" in page.url


def test_units_are_found_by_what_they_do(page: object, site: Path, units: list) -> None:
    page.goto((site / "layer-fc1.html").as_uri())
    selective = sorted(
        (u for u in units if u.preferred_class == 7 and u.firing_rate and u.selectivity),
        key=lambda u: -u.selectivity,
    )
    assert selective
    found = [text for text in look_for(page, "fc1 selective for 7") if text.startswith("fc1")]
    assert [text.split()[2] for text in found] == [str(u.unit) for u in selective[:12]]
    assert "prefers 7" in found[0]
    dead = look_for(page, "dead")
    assert any("never fire" in text for text in dead)
    assert look_for(page, "class 7")[0].startswith("output class 7")
    assert any("twin" in text for text in look_for(page, "twi"))  # while it is being typed


def test_nothing_found_is_said(page: object, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    look_for(page, "conv2")
    page.locator("#search").fill("zebra")
    page.get_by_text("Nothing found").wait_for()
    assert page.locator("#results").is_hidden()


def test_hostile_names_are_found_as_text(page: object, hostile_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(hostile_atlas) as atlas:
        index = export_site(atlas, tmp_path)
    page.goto(index.as_uri())
    assert any("<script>alert(1)</script>" in text for text in look_for(page, "alert"))
    assert "层<b>" in look_for(page, "层")[0]
    page.keyboard.press("Enter")
    page.wait_for_url("**/layer-*.html")


def test_a_layer_is_sorted_and_filtered(page: object, site: Path, units: list) -> None:
    page.goto((site / "layer-fc1.html").as_uri())
    numbers = [str(u.unit) for u in units]
    assert page.evaluate(SHOWN) == numbers
    page.get_by_label("Sort by").select_option("firing rate")
    by_rate = sorted(units, key=lambda u: (-float(f"{u.firing_rate:.4g}"), u.unit))
    assert page.evaluate(SHOWN) == [str(u.unit) for u in by_rate]
    assert page.url.endswith("#sort=rate")
    page.get_by_role("button", name="reversed").click()
    assert page.evaluate(SHOWN)[0] == str(min(units, key=lambda u: (u.firing_rate, u.unit)).unit)
    page.get_by_label("Prefers class").select_option("3")
    three = {str(u.unit) for u in units if u.preferred_class == 3 and u.firing_rate}
    assert set(page.evaluate(SHOWN)) == three
    assert 0 < len(three) < len(units)
    assert page.get_by_role("status").last.inner_text().startswith(f"{len(three)} of 128 units")
    assert page.url.endswith("#sort=rate&reverse=&class=3")
    page.go_back()
    page.go_back()
    assert page.evaluate(SHOWN) == [str(u.unit) for u in by_rate]
    page.go_back()
    assert page.evaluate(SHOWN) == numbers
    assert page.get_by_role("status").last.inner_text() == "128 units"


def test_an_address_says_what_is_shown(page: object, site: Path, units: list) -> None:
    twins = [str(u.unit) for u in units if u.twin is not None]
    page.goto((site / "layer-fc1.html").as_uri() + "#show=picture&class=999&sort=nonsense")
    assert page.evaluate(SHOWN) == []
    page.get_by_role("button", name="Show all").click()
    assert len(page.evaluate(SHOWN)) == len(units)
    page.goto((site / "index.html").as_uri())
    link = page.locator("a.badge[href='layer-conv1.html#show=silent']").first
    assert link.inner_text() == "1 never fires"
    link.click()
    at(page, "layer-conv1.html#show=silent")
    page.wait_for_function("document.querySelectorAll('.unit:not([hidden])').length === 1")
    (one,) = page.evaluate(SHOWN)
    assert page.get_by_role("button", name="never fires").get_attribute("aria-pressed") == "true"
    page.goto((site / "layer-conv1.html").as_uri() + f"#unit-{one}")  # an anchor is no filter
    assert len(page.evaluate(SHOWN)) == 16
    assert twins == [] or page.locator("[data-twin]").count() > 0


def test_arrows_lead_on_and_o_leads_back(page: object, site: Path) -> None:
    page.goto((site / "unit-conv1-0.html").as_uri())
    page.keyboard.press("ArrowLeft")  # there is none before
    page.keyboard.press("ArrowRight")
    at(page, "unit-conv1-1.html")
    page.keyboard.press("ArrowLeft")
    at(page, "unit-conv1-0.html")
    page.goto((site / "layer-conv1.html").as_uri())
    page.keyboard.press("ArrowRight")
    at(page, "layer-conv2.html")
    page.keyboard.press("o")
    at(page, "index.html")


def test_keys_are_let_alone_while_something_is_typed(page: object, site: Path) -> None:
    page.goto((site / "unit-conv1-1.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("o?/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert page.locator("#search").input_value() == "o?/"
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Alt+o")
    page.goto((site / "layer-conv1.html").as_uri())
    page.get_by_label("Sort by").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert "layer-conv1.html" in page.url


def test_help_opens_and_closes(page: object, site: Path) -> None:
    page.goto((site / "unit-conv1-0.html").as_uri())
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    assert help_.is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    page.keyboard.press("Escape")
    help_.wait_for(state="hidden")
    assert "unit-conv1-0.html" in page.url
    page.get_by_role("button", name="Keys and search").click()
    help_.get_by_role("button", name="Close").click()
    help_.wait_for(state="hidden")


def test_the_first_tab_skips_to_the_content(page: object, site: Path) -> None:
    page.goto((site / "layer-conv1.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.getBoundingClientRect().width") > 100
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", [390, 1440])
def test_an_open_search_fits_the_page(page: object, site: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((site / "layer-conv1.html").as_uri())
    look_for(page, "conv")
    box = page.locator("#results").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_pages_do_without_the_script(browser: object, site: Path) -> None:
    """No control waits for it, and links to a part of a layer show that part."""
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator("input, button, select, dialog").count() == 0
    assert page.locator("#find").is_hidden()
    page.locator("a.badge[href='layer-conv1.html#show=silent']").first.click()
    assert page.locator(".unit:visible").count() == 1
    page.get_by_role("link", name="Show all").click()
    assert page.locator(".unit:visible").count() == 16
    assert page.locator("#sift").is_hidden()
    context.close()
