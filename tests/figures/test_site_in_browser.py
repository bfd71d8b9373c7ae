"""The pages in a real browser: phone and desktop, light and dark, with and without scripts."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chromium import BROKEN, IN_CHROMIUM, OVERFLOWING, SCROLL_WIDTH
from phosphene.atlas import Atlas
from phosphene.figures import export_site

PAGES = ["index.html", "layer-conv1.html", "unit-conv1-0.html", "unit-conv1-1.html"]

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module", params=["digits_atlas", "photographs_atlas", "hostile_atlas"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with Atlas.open(request.getfixturevalue(request.param)) as atlas:
        export_site(atlas, folder)
    return folder


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_or_broken(browser: object, site: Path, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 8000}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    names = PAGES if (site / PAGES[-1]).exists() else sorted(p.name for p in site.glob("*.html"))
    for name in names[:8]:
        page.goto((site / name).as_uri())
        page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(SCROLL_WIDTH) <= width, name
        assert page.evaluate(OVERFLOWING) == [], name
        page.wait_for_load_state("load")
        assert page.evaluate(BROKEN) == [], name
    context.close()
    assert problems == []


def test_pages_work_without_scripts(browser: object, digits_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        index = export_site(atlas, tmp_path)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(index.as_uri())
    page.get_by_role("link", name="conv1", exact=True).click()
    page.get_by_role("link", name="channel 0").click()
    assert page.get_by_role("heading", level=1).inner_text() == "conv1 channel 0"
    settings = page.locator("details").first
    assert not settings.locator("dl").is_visible()
    settings.locator("summary").click()
    assert settings.locator("dl").is_visible()
    page.get_by_role("link", name="channel 1 →").click()
    assert "unit-conv1-1.html" in page.url
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_faded_pictures_let_the_paper_through(
    browser: object, photographs_atlas: Path, tmp_path: Path, scheme: str
) -> None:
    with Atlas.open(photographs_atlas) as atlas:
        index = export_site(atlas, tmp_path)
    page = browser.new_page(color_scheme=scheme)
    page.goto(index.with_name("unit-conv1-0.html").as_uri())
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    drawn = page.locator(".drawing img").first
    plain = np.asarray(Image.open(io.BytesIO(drawn.screenshot())).convert("RGB"))
    page.get_by_label("Fade the places").check()
    faded = np.asarray(Image.open(io.BytesIO(drawn.screenshot())).convert("RGB"))
    page.close()
    expected = [int(n) for n in paper[4:-1].split(",")]
    middle = plain.shape[1] // 2
    assert np.abs(faded[4, 4] - np.array(expected)).max() <= 4  # alpha is 0 there
    assert np.abs(plain[4, 4] - np.array(expected)).max() > 12
    assert np.abs(faded[-4, -4].astype(int) - plain[-4, -4]).max() <= 4  # and 1 here
    assert not np.array_equal(faded[:, middle], plain[:, middle])


def test_dark_pages_are_dark(browser: object, digits_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        index = export_site(atlas, tmp_path)
    shades = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(index.as_uri())
        colours = page.evaluate(
            "() => ['backgroundColor', 'color'].map(k => getComputedStyle(document.body)[k])"
        )
        shades[scheme] = [sum(int(n) for n in c[4:-1].split(",")) for c in colours]
        page.close()
    paper, ink = shades["light"]
    assert (paper > 700, ink < 200) == (True, True)
    paper, ink = shades["dark"]
    assert (paper < 200, ink > 600) == (True, True)
