"""Every page is there, every link holds, nothing from outside becomes markup."""

import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from fuzz import small_atlas
from heard import heard_in
from markup import Page
from phosphene.atlas import (
    Atlas,
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    LayerRecord,
    PictureRecord,
    UnitRecord,
)
from phosphene.errors import StorageError, UnfinishedAtlasError
from phosphene.figures import export_site, layer_sheet, unit_sheet
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.folder import SiteFolder, slug
from phosphene.figures.site.places import InFolder
from phosphene.progress import watching

pytestmark = pytest.mark.slow  # together more than a few seconds


def export(atlas: Path, folder: Path) -> dict[str, Page]:
    with Atlas.open(atlas) as opened:
        export_site(opened, folder)
    return {path.name: Page(path) for path in folder.glob("*.html") if "hand" not in path.name}


def check_links(pages: dict[str, Page], folder: Path) -> None:
    for name, page in pages.items():
        for link in [*page.links, *page.sources]:
            if link.startswith("data:"):
                continue
            file, _, anchor = link.partition("#")
            target = (folder / unquote(file or name)).resolve()
            assert target.is_relative_to(folder.resolve()), f"{name} links outside: {link}"
            assert target.is_file(), f"{name} links to nothing: {link}"
            filtered = re.fullmatch(r"class=\d+", anchor)  # the script's; else the whole layer
            assert not anchor or filtered or anchor in pages[target.name].ids


@pytest.mark.parametrize("which", ["digits_atlas", "photographs_atlas", "hostile_atlas"])
def test_every_unit_has_its_page_and_every_link_holds(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    pages = export(path, tmp_path)
    check_links(pages, tmp_path)
    with Atlas.open(path) as atlas:
        units = sum(layer.units for layer in atlas.layers())
        assert len(pages) == 1 + len(atlas.layers()) + units
    linked = {link for page in pages.values() for link in page.links}
    assert set(pages) <= {link.partition("#")[0] for link in linked}


def test_hostile_names_stay_text(hostile_atlas: Path, tmp_path: Path) -> None:
    pages = export(hostile_atlas, tmp_path)
    assert all(page.tags.count("script") == 1 for page in pages.values())
    assert all([s for s in page.sources if ".js" in s] == ["site.js"] for page in pages.values())
    assert '<script>alert("net")</script>' in pages["index.html"].text
    assert "../../etc/passwd" in pages["index.html"].text
    assert all(path.parent in (tmp_path, tmp_path / "img") for path in tmp_path.rglob("*.*"))


def test_units_that_answer_alike_are_shown_by_layers(digits_atlas: Path, tmp_path: Path) -> None:
    pages = export(small_atlas(tmp_path / "small.atlas"), tmp_path / "site")
    check_links(pages, tmp_path / "site")
    text = pages["unit-fc-1.html"].text
    alike = text[text.index("Most correlated") : text.index("Selective for it")]
    assert re.findall(r"class \S+|channel \d|0\.\d+", alike) == [
        *("class naïve", "0.99", "class cat", "0.5"),  # of its own layer, then of the one before
        *("channel 1", "0.25"),
    ]
    assert {"unit-fc-2.html", "unit-fc-0.html", "unit-conv-1.html"} <= {
        *pages["unit-fc-1.html"].links
    }
    before = export(digits_atlas, tmp_path / "before")  # it does not know
    assert "Most correlated" not in before["unit-conv1-0.html"].text


def test_a_silent_unit_is_told_in_words(digits_atlas: Path, tmp_path: Path) -> None:
    page = export(digits_atlas, tmp_path)["unit-conv1-1.html"]
    assert "Never fires: none of 200 images brings its response above zero." in page.text
    assert "from noise, twice the contrast" in page.text
    shown = [source for source in page.sources if source != "site.js"]
    assert len(shown) == 1  # its weights, no grey square


def test_a_silent_unit_that_a_picture_woke(digits_atlas: Path, tmp_path: Path) -> None:
    atlas_file = Path(shutil.copy(digits_atlas, tmp_path / "woken.atlas"))
    with Atlas.build(atlas_file) as atlas, atlas.job("woken", "pictures", "Draw") as job:
        (silent,) = atlas.pictures("conv1", 1)
        woken = {"canvas": "fourier", "activation": 0.25, "silent": False, "attempts": ()}
        job.add(replace(silent, **woken))
    text = export(atlas_file, tmp_path / "site")["unit-conv1-1.html"].text
    assert "Never fires on these images: none of 200 images brings" in text
    assert "The picture made for it reaches an activation of 0.25." in text


def test_real_patches_come_before_synthetic_pictures(digits_atlas: Path, tmp_path: Path) -> None:
    text = export(digits_atlas, tmp_path)["unit-conv1-0.html"].text
    assert text.index("Strongest real images") < text.index("Synthetic pictures")
    for words in ("137 % of the strongest real image’s", "seed 7", "steps 256", "twin of 5"):
        assert words in text


def test_outputs_are_called_by_their_class(photographs_atlas: Path, tmp_path: Path) -> None:
    pages = export(photographs_atlas, tmp_path)
    assert "output class cup of coffee" in pages["unit-output-2.html"].text
    assert "grey is zero" in pages["unit-conv1-0.html"].text


def test_pictures_in_colour_can_be_faded(
    photographs_atlas: Path, digits_atlas: Path, tmp_path: Path
) -> None:
    export(photographs_atlas, tmp_path / "colour")
    page = (tmp_path / "colour" / "unit-conv1-0.html").read_text()
    assert page.count("--alpha:url(data:image/png;base64,") == 2  # the channel's and the neuron's
    assert page.count('class="fade note"') == 1
    assert page.count('class="enlarge"') == 2
    export(digits_atlas, tmp_path / "grey")
    grey = [found.read_text("utf-8") for found in (tmp_path / "grey").glob("*.html")]
    assert not any('class="fade' in page for page in grey)


def test_a_layer_says_what_it_costs_and_how_it_lies(digits_atlas: Path, tmp_path: Path) -> None:
    pages = export(digits_atlas, tmp_path)
    assert "1.23 M multiply-adds for one image." in pages["layer-conv1.html"].text
    assert "itself" not in pages["layer-conv1.html"].text
    said = "1.23 M multiply-adds for one image. The network itself has the channels last."
    assert said in pages["layer-conv2.html"].text


def test_exporting_again_changes_nothing(digits_atlas: Path, tmp_path: Path) -> None:
    export(digits_atlas, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    export(digits_atlas, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before


def test_only_our_own_stale_pages_go(
    digits_atlas: Path, photographs_atlas: Path, tmp_path: Path
) -> None:
    export(photographs_atlas, tmp_path)
    of_photographs = {path.name for path in (tmp_path / "img").iterdir()}
    assert len(of_photographs) > 10
    (tmp_path / "unit-by-hand.html").write_text("<p>mine</p>")
    (tmp_path / "img" / "mine.png").write_bytes(b"mine")
    export(digits_atlas, tmp_path)
    left = {path.name for path in (tmp_path / "img").iterdir()}
    assert "mine.png" in left
    assert not left & of_photographs
    of_ten_classes = {path.name for path in tmp_path.glob("*.html")}
    without_a_class = {path.name for path in tmp_path.glob("unit-output-[3-9].html")}
    with Atlas.open(photographs_atlas) as atlas:
        export_site(atlas, tmp_path)
    assert of_ten_classes - {path.name for path in tmp_path.glob("*.html")} == without_a_class
    assert (tmp_path / "unit-by-hand.html").read_text() == "<p>mine</p>"


def test_somebody_elses_index_is_left_alone(digits_atlas: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>my home page</p>")
    with pytest.raises(StorageError, match="not written by phosphene"):
        export(digits_atlas, tmp_path)
    assert (tmp_path / "index.html").read_text() == "<p>my home page</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_folder_with_other_files_is_left_alone(digits_atlas: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "layer-cake.html").write_text("<p>a recipe</p>")
    says = r"did not write \(layer-cake\.html, thesis\.tex\).*folder of its own, such as .*site"
    with pytest.raises(StorageError, match=says):
        export(digits_atlas, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer-cake.html", "thesis.tex"]


def test_an_export_that_was_cut_short_is_gone_on_with(digits_atlas: Path, tmp_path: Path) -> None:
    def cut(done: float, total: float, about: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    (tmp_path / ".nojekyll").write_text("")  # hidden files are nobody's pages
    with (
        Atlas.open(digits_atlas) as atlas,
        watching(lambda title: nullcontext(cut)),
        pytest.raises(KeyboardInterrupt),
    ):
        export_site(atlas, tmp_path)
    assert not (tmp_path / "index.html").exists()
    (tmp_path / "unit-conv1-0.html.partial").write_text("<!DOCT")
    (tmp_path / "probe-fool-1.json").write_text("{}")
    assert "index.html" in export(digits_atlas, tmp_path)
    assert not (tmp_path / "probe-fool-1.json").exists()  # no page of this export has it


def test_a_folder_that_cannot_be_written(digits_atlas: Path, tmp_path: Path) -> None:
    (tmp_path / "site").write_text("a file")
    with pytest.raises(StorageError, match="cannot write the site"):
        export(digits_atlas, tmp_path / "site")


def test_progress_reaches_its_total(digits_atlas: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, float, float, str]] = []
    with Atlas.open(digits_atlas) as atlas, watching(heard_in(seen)):
        index = export_site(atlas, tmp_path)
    assert index == tmp_path / "index.html"
    assert [told[:3] for told in seen] == [
        ("writing pages", done, len(seen)) for done in range(1, len(seen) + 1)
    ]


def bare(path: Path, statistics: bool) -> Path:
    """An atlas of one layer, without labels and drawings."""
    size = {"channels": 2, "height": 8, "width": 8}
    network = {"name": "N", "input": size, "labels": [], "parameters": 3, "fingerprint": "ab"}
    with Atlas.build(path) as atlas, atlas.job("k", "d", "Describe") as job:
        data = {"name": "noise", "note": None, "count": 5, "classes": [], "skipped": 0}
        job.add(Document("network", network), Document("data", data))
        job.add(LayerRecord("conv", 0, "Conv2d", (1, 8, 8), 1, None, False, True))
        if statistics:
            responses = {"histogram_counts": (5,), "histogram_low": 0.0, "histogram_width": 1.0}
            classes = {"class_means": (), "preferred_class": None, "selectivity": None}
            twin = {"twin": None, "twin_correlation": None, "weights": None}
            job.add(UnitRecord("conv", 0, 1.0, 0.5, 0.1, 0.9, **responses, **classes, **twin))
            accuracy = {"count": 5, "accuracy": 1.0, "top5": None, "confusion": None}
            shown = {"most_confused": [], "examples": [3], "errors": []}
            job.document("evaluation", accuracy | shown)
    return path


def test_an_atlas_without_labels_or_pictures_yet(tmp_path: Path) -> None:
    pages = export(bare(tmp_path / "bare.atlas", statistics=True), tmp_path / "site")
    assert set(pages) == {"index.html", "layer-conv.html"}  # no page for a unit of numbers alone
    assert "of 1 unit 0 can be shown so far" in (tmp_path / "site" / "layer-conv.html").read_text()
    check_links(pages, tmp_path / "site")


@pytest.mark.parametrize(
    ("label", "predicted", "probability", "said"),
    [
        (4, 4, 0.9, "class 4<"),
        (4, 2, 0.9, "class 4, read as 2, 90\u00a0%<"),
        (None, 2, 0.25, "read as 2, 25\u00a0%<"),
        (None, 2, None, "read as 2<"),
        (None, None, None, "unlabelled<"),
    ],
)
def test_a_picture_says_what_it_is_read_as_where_that_is_not_its_class(
    label: int | None, predicted: int | None, probability: float, said: str, tmp_path: Path
) -> None:
    path = bare(tmp_path / "bare.atlas", statistics=True)
    with Atlas.build(path) as atlas, atlas.job("shown", "shown", "Show") as job:
        job.add(ImageRecord(3, label, predicted, probability, np.zeros((2, 8, 8))))
        if label is None:
            job.document("files", {"3": "cats/ä <1>.png"})
        place = {"y": 1, "x": 1, "box": (0, 0, 3, 3)}
        job.add(ExampleRecord("conv", 0, 0, 3, 0.9, **place, guided=np.zeros((2, 3, 3))))
    export(path, tmp_path / "site")
    page = (tmp_path / "site" / "unit-conv-0.html").read_text()
    assert f"<figcaption>{said}" in page
    assert ('class="note file">cats/ä &lt;1&gt;.png<' in page) == (label is None)


def test_small_pictures_are_shown_at_a_whole_multiple(tmp_path: Path) -> None:
    path = bare(tmp_path / "bare.atlas", statistics=True)
    with Atlas.build(path) as atlas, atlas.job("shown", "shown", "Show") as job:
        job.add(ImageRecord(3, None, None, None, np.zeros((1, 32, 32))))
        drawn = {"canvas": "maco", "activation": 1.0, "strongest_real": None, "silent": False}
        picture = {"picture": np.ones((1, 32, 32)), "settings": {}, "attempts": ()}
        job.add(PictureRecord("conv", 0, "channel", **drawn, **picture))
    export(path, tmp_path / "site")
    index = (tmp_path / "site" / "index.html").read_text()
    assert 'width="96" height="96"' in index  # among the examples
    assert 'width="64" height="64"' in index  # on the layer's card
    assert "--widest:64px" in index


def test_the_counts_of_images_explain_themselves(digits_atlas: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(digits_atlas, tmp_path / "a.atlas"))
    with Atlas.build(path) as atlas, atlas.job("seen", "pass", "Look") as job:
        job.document("seen", {"count": 203, "skipped": 1})
    text = export(path, tmp_path / "site")["index.html"].text
    assert "of 200 images with a known class" in text
    assert "Digits; 1 could not be read; 3 of no known class" in text


def test_many_findings_of_a_topic_are_folded_away(digits_atlas: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(digits_atlas, tmp_path / "a.atlas"))
    with Atlas.build(path) as atlas, atlas.job("more", "findings", "Find") as job:
        job.add(*(Finding(10 + i, "twins", f"finding {i} of nine", {}) for i in range(9)))
    index = export(path, tmp_path / "site")["index.html"]
    before, summary, folded = index.text.partition("5 more")
    assert summary
    assert "finding 3 of nine" in before
    assert "finding 4 of nine" not in before
    assert "finding 8 of nine" in folded


@pytest.mark.parametrize(("most", "shown"), [(20, 10), (4, 4), (3, 3)])
def test_the_overview_begins_with_some_of_the_classes(
    most: int, shown: int, digits_atlas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.figures.site.overview.HERO", most)
    index = export(digits_atlas, tmp_path)["index.html"]
    beginning, _, _ = (tmp_path / "index.html").read_text().partition('<dl class="facts">')
    links = re.findall(r'href="unit-output-\d+\.html"', beginning)
    assert len(links) == shown
    assert (f"; {shown} of 10 are shown." in index.text) == (shown < 10)


def test_a_study_that_has_found_nothing_yet_is_unfinished(tmp_path: Path) -> None:
    path = bare(tmp_path / "bare.atlas", statistics=False)
    with (
        Atlas.build(path) as atlas,
        pytest.raises(ZeroDivisionError),
        atlas.job("pass", "pass", "looking at noise"),
    ):
        raise ZeroDivisionError("no picture")
    says = (
        r"bare\.atlas is unfinished.*\"looking at noise\" ended with ZeroDivisionError: no picture."
        r".*`phosphene build`"
    )
    with pytest.raises(UnfinishedAtlasError, match=says):
        export(path, tmp_path / "site")
    assert not (tmp_path / "site").exists()
    with Atlas.open(path) as atlas:
        for sheet in (lambda: unit_sheet(atlas, "conv", 0), lambda: layer_sheet(atlas, "conv")):
            with pytest.raises(UnfinishedAtlasError, match=says):
                sheet()


@pytest.mark.slow
def test_each_of_190_units_has_its_page(large_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(large_atlas) as atlas:
        export_site(atlas, tmp_path)
    assert len(list(tmp_path.glob("unit-*.html"))) == 190


def test_slugs_are_safe_and_distinct() -> None:
    names = ["a", "A", "a/b", "a.b", "a-b", "", "..", "层", "con", "x" * 300, "x" * 301, "<b>"]
    slugs = [slug(name) for name in names]
    assert len({s.lower() for s in slugs}) == len(names)
    assert all(
        len(s) < 64 and set(s) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for s in slugs
    )


def test_equal_images_are_written_once(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (80, 80)).astype(np.uint8)
    place = InFolder(folder)
    assert place.image(Tile.of(noise)) == place.image(Tile.of(noise.copy()))
    assert len(list((tmp_path / "img").iterdir())) == 1
    assert place.image(Tile.of(noise[:8, :8])).startswith("data:image/png")
