"""Charts stay readable and truthful from two classes to a thousand."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from phosphene.figures import class_profile, confusion_table, histogram


def areas(svg: str, name: str) -> list[tuple[float, float, float]]:
    """Left, right and height of every bar of one kind."""
    path = re.search(rf'class="{name}" d="([^"]*)"', svg)
    assert path is not None
    bars = re.findall(r"M([\d.]+) [\d.]+v-([\d.]+)H([\d.]+)v", path[1])
    return [(float(left), float(right), float(height)) for left, height, right in bars]


def test_histogram_marks_zero_and_colours_what_fires() -> None:
    svg = str(histogram([4, 16, 0, 1], low=-2.0, width=1.0, firing=1))
    ElementTree.fromstring(svg)
    assert len(areas(svg, "rest")) == 3
    (left, right, height) = areas(svg, "fires")[0]
    zero = float(re.search(r'class="zero" d="M([\d.]+)', svg)[1])
    assert left > zero
    assert right - left == pytest.approx((zero - 6) / 2, abs=0.02)
    assert height == pytest.approx(96 / 4, abs=0.02)  # √1 of √16
    assert "21 images, 1 above zero" in svg


def test_histogram_of_a_silent_unit_has_no_coloured_bar() -> None:
    svg = str(histogram([0, 50, 0], low=-0.5, width=0.5, firing=0))
    assert areas(svg, "fires") == []
    assert len(areas(svg, "rest")) == 1


def test_a_bar_of_both_kinds_is_coloured_in_part() -> None:
    svg = str(histogram([100, 9], low=0.0, width=1.0, firing=9 + 25))
    (_, _, whole), _ = areas(svg, "rest")
    (_, _, part), _ = areas(svg, "fires")
    assert part == pytest.approx(whole / 2, abs=0.02)


def test_histogram_of_nothing() -> None:
    ElementTree.fromstring(str(histogram([], low=0.0, width=1.0, firing=0)))
    ElementTree.fromstring(str(histogram([3], low=2.0, width=0.0, firing=3)))


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_profile_shows_the_strongest_of_many_classes(classes: int) -> None:
    means = np.random.default_rng(classes).normal(size=classes).tolist()
    best = int(np.argmax(means))
    labels = [f"name {i}" for i in range(classes)]
    table = ElementTree.fromstring(f"<div>{class_profile(means, labels, best)}</div>")
    rows = table.findall(".//tr")
    assert len(rows) == min(classes, 12)
    preferred = [row.find("th").text for row in rows if row.get("class") == "preferred"]
    assert preferred == [f"name {best}"]
    if classes > 12:
        assert rows[0].get("class") == "preferred"
        assert f"{classes - 12} more classes" in table.find("p").text


def test_profile_bars_start_at_zero_and_keep_proportion() -> None:
    html = str(class_profile([-1.0, 0.0, 3.0], ["a", "b", "c"], 2))
    bars = [(float(a), float(b)) for a, b in re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)]
    assert bars == [(0.0, 25.0), (25.0, 0.0), (25.0, 75.0)]


def test_profile_says_which_classes_were_not_seen() -> None:
    html = str(class_profile([1.0, None, float("nan")], ["a", "b", "c"], 0))
    assert html.count("<tr") == 1
    assert "No image of 2 classes." in html


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_confusion_holds_every_count(classes: int) -> None:
    counts = np.random.default_rng(0).integers(0, 4, (classes, classes))
    labels = [f"c{i}" for i in range(classes)]
    root = ElementTree.fromstring(
        f"<div>{str(confusion_table(counts, labels)).replace('<br>', '')}</div>"
    )
    rows = root.findall(".//tbody/tr")
    read = [[int(cell.text or 0) for cell in row.findall("td")] for row in rows]
    assert (np.array(read) == counts).all()
    assert [row.find("th").text for row in rows] == labels


def test_text_from_outside_is_escaped() -> None:
    hostile = ["<script>alert(1)</script>", '"><img src=x>']
    page = str(class_profile([1.0, 2.0], hostile, 1)) + str(confusion_table(np.eye(2), hostile))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
