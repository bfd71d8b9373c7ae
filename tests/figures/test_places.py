"""Pages are the same wherever they stand: in a folder, behind a server, or by themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from markup import Page
from phosphene.atlas import Atlas
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.folder import SiteFolder
from phosphene.figures.site.pages import Pages, unit_page
from phosphene.figures.site.places import Alone, InFolder, Place
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView


class Served(Alone):
    """Links as a server would give them, whose images it would answer for."""

    def __init__(self) -> None:
        self.images: list[Tile] = []

    def overview(self) -> str:
        return "/"

    def layer(self, layer: str) -> str:
        return f"/layer/{layer}"

    def unit(self, layer: str, unit: int) -> str:
        return f"/unit/{layer}/{unit}"

    def style(self) -> str:
        return "/style.css"

    def image(self, tile: Tile) -> str:
        self.images.append(tile)
        return f"/image/{len(self.images)}"


@pytest.fixture
def atlas(digits_atlas: Path) -> Iterator[Atlas]:
    with Atlas.open(digits_atlas) as atlas:
        yield atlas


def read(text: str, folder: Path) -> Page:
    (folder / "page.html").write_text(text, encoding="utf-8")
    return Page(folder / "page.html")


@pytest.mark.later
def test_a_page_by_itself_holds_all_it_shows(
    atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    page = read(unit_page(atlas, "conv2", 1), tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(page.sources) > 20
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert any(link.startswith("data:text/css;base64,") for link in page.links)
    assert all(link.startswith(("data:", "#")) or not link for link in page.links)
    assert "Overview" in page.text


def test_a_server_gives_links_and_images_of_its_own(atlas: Atlas, tmp_path: Path) -> None:
    place = Served()
    page = read(unit_page(atlas, "conv2", 1, place), tmp_path)
    assert {"/", "/layer/conv2#unit-1", "/unit/conv2/0", "/unit/conv2/2", "/style.css"} <= {
        *page.links
    }
    assert page.sources == [f"/image/{i + 1}" for i in range(len(place.images))]


@pytest.mark.later
def test_a_page_says_the_same_wherever_it_stands(atlas: Atlas, tmp_path: Path) -> None:
    places: list[Place] = [Alone(), Served(), InFolder(SiteFolder(tmp_path / "site"))]
    texts = {read(unit_page(atlas, "conv2", 1, place), tmp_path).text for place in places}
    assert len(texts) == 1


@pytest.mark.later
def test_a_page_does_not_depend_on_the_pages_before_it(atlas: Atlas) -> None:
    view = AtlasView(atlas)
    pages = Pages(view, Alone())
    for record in view.layers:
        layer = LayerView(view, record)
        of_all = [pages.unit(layer, unit) for unit in layer.shown]
    assert of_all[2] == unit_page(atlas, record.name, layer.shown[2].unit)


def test_the_layer_of_the_classes_is_the_one_that_was_found(
    digits_atlas: Path, tmp_path: Path
) -> None:
    path = tmp_path / "told.atlas"
    path.write_bytes(digits_atlas.read_bytes())
    with Atlas.build(path) as atlas, atlas.job("read", "reading", "Read") as job:
        job.document("reading", {"layer": "conv2", "how": "found", "told": "", "labels": ["a"]})
    with Atlas.open(path) as atlas:
        names = AtlasView(atlas).names
        assert names.unit(atlas.layer("conv2"), 3) == "class 3"
        assert names.unit(atlas.layer("output"), 3) == "unit 3"
