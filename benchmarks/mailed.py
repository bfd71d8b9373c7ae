"""How quickly does a mailed bench answer? Strokes on SITE/bench.html, drawn by a browser.

    python benchmarks/mailed.py SITE [--strokes 300] [--layer conv2]

Told are milliseconds from the moment that the pen moved to the moment that classes and map stand on
the page, which includes the wait for the next frame of the screen.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run")
WATCH = """() => {
  window.waits = [];
  let since = null;
  const canvas = document.getElementById("canvas");
  canvas.addEventListener("pointermove", (event) => (since ??= event.timeStamp), true);
  const kept = window.tell;
  window.tell = (...told) => {
    kept(...told);
    if (since !== null) waits.push(performance.now() - since);
    since = null;
  };
}"""


def main() -> None:
    asked = arguments()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"file://{(asked.site / 'bench.html').resolve()}")
        page.wait_for_selector("#bars li")
        if asked.layer:
            page.select_option("#layer", asked.layer)
        draw(page, 30)
        page.evaluate(WATCH)
        draw(page, asked.strokes)
        waits = page.evaluate("() => waits")
        browser.close()
    middle, high, most = np.quantile(waits, [0.5, 0.95, 1])
    print(f"{len(waits)} strokes, milliseconds: {middle:.1f}, 95 % {high:.1f}, most {most:.1f}")


def draw(page: Page, strokes: int) -> None:
    """A line that wanders, as quickly as a hand."""
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    made, point = np.random.default_rng(0), np.array([0.5, 0.5])
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for _ in range(strokes):
        point = np.clip(point + made.normal(0, 0.06, 2), 0.1, 0.9)
        page.mouse.move(box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"])
        time.sleep(0.025)
    page.mouse.up()
    page.wait_for_timeout(300)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--strokes", type=int, default=300)
    parser.add_argument("--layer", help="with the wall of a layer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
