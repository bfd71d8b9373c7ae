"""Questions put from the page in a real browser: started, watched, cancelled, found again."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import IN_CHROMIUM, OVERFLOWING, SCROLL_WIDTH, serving
from fuzz import small_atlas
from phosphene.live.exhibits import Exhibit
from phosphene.network import Network

pytestmark = IN_CHROMIUM


@pytest.fixture
def server(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = small_atlas(tmp_path / "net.atlas", network.fingerprint)
    shown = [Exhibit("net", path, network), Exhibit("bare", path, missing="give it")]
    with serving(shown) as address:
        yield address


@pytest.fixture
def page(browser: Any, server: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    found, wrong = context.new_page(), []
    found.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.goto(f"{server}/net/ask")
    yield found
    context.close()
    assert wrong == []


def question(page: Any, kind: str, **options: str) -> None:
    """Fill in a form by keys, and put it."""
    form = page.locator(f"form[data-kind={kind}]")
    if not form.is_visible():
        page.locator("details", has=form).locator("summary").press("Enter")
    for name, value in options.items():
        form.locator(f"[name={name}]").fill(value)
    form.get_by_role("button", name="Ask").press("Enter")


def test_a_question_is_put_watched_cancelled_and_found_again_after_a_reload(page: Any) -> None:
    question(page, "restarts", unit="cat", starts="500", steps="5000")
    page.wait_for_selector("#jobs li[data-state=running] progress[value]")
    page.reload()
    page.wait_for_selector("#jobs li[data-state=running] progress[value]")
    page.get_by_role("button", name="Cancel").press("Enter")
    page.wait_for_selector("#jobs li[data-state=cancelled]")
    assert "cancelled" in page.inner_text("#said")
    question(page, "fool", towards="cat", steps="2")
    page.click("#jobs li[data-state=finished] a")
    page.wait_for_url("**/probe/fool-*")


def test_a_drawing_of_the_bench_is_asked_about(page: Any, server: str) -> None:
    page.goto(f"{server}/net/bench#unit=dog")
    page.wait_for_selector("#bars li")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 90, steps=5)
    page.mouse.up()
    page.click("#longer")
    page.wait_for_selector("#drawing:not([hidden])")
    assert "About dog" in page.inner_text("#about")
    page.locator("#about button", has_text="parts").click()
    form = page.locator("form[data-kind=parts]")
    values = [form.locator(f"[name={name}]").input_value() for name in ("unit", "image")]
    assert values == ["dog", "drawing"]
    form.get_by_role("button", name="Ask").click()
    page.wait_for_selector("#jobs li[data-state=finished]")
    assert "drawing-" in page.inner_text("#jobs")
    page.reload()
    page.wait_for_selector("#drawing:not([hidden])")
    page.click("#without")
    assert page.is_hidden("#drawing")
    assert form.locator("[name=image]").input_value() == ""


def test_what_is_cancelled_is_asked_again_and_files_are_given_out(page: Any) -> None:
    question(page, "restarts", unit="cat", starts="20", steps="20000")
    page.wait_for_selector("#jobs li[data-state=running]")
    question(page, "fool", towards="cat", steps="2")
    page.get_by_label("Cancel 20 starts of cat").click()
    page.wait_for_selector("#jobs li[data-state=cancelled]")
    page.get_by_label("Ask again: 20 starts of cat").click()
    page.wait_for_selector("#jobs li[data-state=cancelled]", state="detached")
    page.wait_for_selector("#jobs li[data-state=running]")
    page.get_by_label("Cancel 20 starts of cat").click()
    page.wait_for_selector("#jobs li[data-state=cancelled]")
    question(page, "hide", text="h", confidence="0.4")
    page.wait_for_selector("#jobs a[download]", timeout=90_000)
    with page.expect_download() as found:
        page.click("#jobs a[download]")
    assert found.value.suggested_filename == "message.png"


def test_every_page_leads_to_the_questions(page: Any, server: str) -> None:
    for path in ("net/", "net/bench"):
        page.goto(f"{server}/{path}")
        page.click("header >> text=Ask")
        page.wait_for_url("**/net/ask")


def test_the_page_fits_and_every_field_has_a_label(page: Any, server: str) -> None:
    page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(SCROLL_WIDTH) <= width, page.evaluate(OVERFLOWING)
            if folder := os.environ.get("SHOTS"):
                page.screenshot(path=f"{folder}/ask-{scheme}-{width}.png")
    unlabelled = (
        "() => [...document.querySelectorAll('#ask :is(input:not([hidden]), select, textarea)')]"
        ".filter(field => !field.labels.length).length"
    )
    assert page.evaluate(unlabelled) == 0
    page.goto(f"{server}/bare/ask")
    assert "give it" in page.inner_text("main")
