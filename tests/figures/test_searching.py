"""What pages search in, and the links in what was found."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from phosphene.atlas import (
    Atlas,
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    LayerRecord,
    UnitRecord,
)
from phosphene.errors import StorageError
from phosphene.figures import export_site
from phosphene.figures.site.folder import SiteFolder
from phosphene.figures.site.places import Alone, InFolder
from phosphene.figures.site.searching import search_index
from phosphene.figures.site.told import Piece, findings_told, linked
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.names import Names
from phosphene.figures.views.roster import Listed, ListedLayer, enrolled, preferred_as


def layer(name: str, units: list[Listed], shape: tuple[int, ...] = (9, 7, 7)) -> ListedLayer:
    return ListedLayer(LayerRecord(name, 0, "Conv2d", shape, shape[0], None, False, True), units)


def listed(unit: int, silent: bool = False, twin: int | None = None) -> Listed:
    return Listed(unit, silent, twin, None if silent else unit % 10, 0.123456)


def read(script: str) -> dict:
    start = "globalThis.phospheneIndex="
    assert script.startswith(start)
    assert script.endswith(";\n")
    return json.loads(script.removeprefix(start).removesuffix(";\n"))


@pytest.mark.slow
@pytest.mark.parametrize("which", ["digits_atlas", "hostile_atlas"])
def test_the_index_leads_to_every_page(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Atlas.open(request.getfixturevalue(which)) as atlas:
        export_site(atlas, tmp_path)
        records = {record.name: atlas.units(record.name) for record in atlas.layers()}
    index = read((tmp_path / "search.js").read_text())
    assert [told["name"] for told in index["layers"]] == [*records]
    pages = {told["page"] for told in index["layers"]}
    for told in index["layers"]:
        units = records[told["name"]]
        numbers = told["shown"] or range(told["count"])
        pages |= {f"{told['unit'][0]}{number}{told['unit'][1]}" for number in numbers}
        assert told["silent"] == [u.unit for u in units if u.firing_rate == 0]
        assert told["twins"] == [[u.unit, u.twin] for u in units if u.twin is not None]
        assert told["prefers"] == [u.preferred_class for u in units]
        exact = [math.nan if u.selectivity is None else u.selectivity for u in units]
        given = [math.nan if value is None else value for value in told["selectivity"]]
        assert given == pytest.approx(exact, rel=5e-3, nan_ok=True)
    assert pages == {path.name for path in tmp_path.glob("*.html")} - {"index.html"}


def test_links_are_put_together_around_the_number(tmp_path: Path) -> None:
    """Also where the layer's name holds the same number, and where only some units have a page."""
    place = InFolder(SiteFolder(tmp_path))
    names = Names((), (), None)
    for units in ([7, 17, 70], [0, 1, 2]):
        index = read(search_index(names, [layer("b7.17", [*map(listed, units)])], [], place))
        (told,) = index["layers"]
        found = told["shown"] or range(told["count"])
        assert list(found) == units
        before, after = told["unit"]
        assert [f"{before}{u}{after}" for u in units] == [place.unit("b7.17", u) for u in units]


@pytest.mark.later
def test_the_index_of_thousands_of_units_is_small() -> None:
    layers = [
        layer(f"features.{i}.block", [listed(u, u % 9 == 0, u % 7 or None) for u in range(320)])
        for i in range(8)
    ]
    labels = tuple(f"class of some length {i}" for i in range(1000))
    layers.append(layer("output", [listed(u) for u in range(1000)], shape=(1000,)))
    index = search_index(Names(labels, labels, "output"), layers, [], Alone())
    assert len(read(index)["layers"][-1]["prefers"]) == 1000
    assert len(index.encode()) < 100_000  # 3,560 units; 300 kB would be too many
    assert index.isascii()  # whatever encoding a server announces


def test_a_layer_of_which_nothing_is_preferred_says_so_briefly() -> None:
    told = layer("a", [Listed(0, False, None, None, None), Listed(1, False, None, None, None)])
    (of_layer,) = read(search_index(Names((), (), None), [told], [], Alone()))["layers"]
    assert (of_layer["prefers"], of_layer["selectivity"]) == ([], [])


def test_what_a_finding_speaks_of_is_linked() -> None:
    layers = [
        layer("conv1", [listed(3, silent=True), listed(11, twin=3)]),
        layer("block.conv1", [listed(3)]),
    ]
    text = (
        "Best: conv1:11, block.conv1:3 and xconv1:3, conv1:4; 1 of 9 units never fires; "
        "2 have a near-duplicate."
    )
    pieces = linked(Finding(0, "units", text, {"layer": "conv1"}), layers)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece for piece in pieces if piece.layer] == [
        Piece("conv1:11", "conv1", 11),
        Piece("block.conv1:3", "block.conv1", 3),
        Piece("1 of 9 units never fires", "conv1", part="show=silent"),
        Piece("2 have a near-duplicate", "conv1", part="show=twins"),
    ]


def test_nothing_leads_to_a_part_without_units() -> None:
    """Where those that never fire have no page, or nobody says of which layer it speaks."""
    text = "1 of 9 units never fires; none has a near-duplicate."
    for figures in ({"layer": "conv1"}, {}, {"layer": "conv9"}):
        finding = Finding(0, "units", text, figures)
        assert linked(finding, [layer("conv1", [listed(3)])]) == [Piece(text)]
    assert linked(Finding(0, "units", text, {"layer": "a"}), []) == [Piece(text)]


def test_the_overview_tells_the_units_of_each_class(digits_atlas: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        view = AtlasView(atlas)
        layers = enrolled(view)
        told = dict(findings_told(view, layers))["units for a class"]
        units = {
            record.name: [
                (u.selectivity, -u.unit, u.preferred_class)
                for u in atlas.units(record.name)
                if u.firing_rate and u.selectivity is not None
            ]
            for record in atlas.layers()
        }
    assert told
    for sentence in told:
        name, _, *rest = sentence
        assert (name.layer, str(name.unit)) == ("output", name.text)
        best = {
            layer: -max(found)[1]
            for layer, of_layer in units.items()
            if layer != "output" and (found := [u for u in of_layer if u[2] == int(name.text)])
        }
        assert {piece.layer: piece.unit for piece in rest if piece.layer} == best


def test_a_class_of_the_data_is_found_by_its_name(digits_atlas: Path) -> None:
    """An output of another order, or of a name that the data has not, is not taken by number."""
    with Atlas.open(digits_atlas) as atlas:
        view = AtlasView(atlas)
        assert preferred_as(view, 3) == 3
        view.names = Names(("b", "a", "c"), ("a", "b"), "output")
        assert [preferred_as(view, unit) for unit in range(3)] == [1, 0, None]


@pytest.mark.slow
def test_the_page_of_a_class_says_which_units_prefer_it(digits_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        export_site(atlas, tmp_path)
        preferring = {
            f'href="unit-fc1-{u.unit}.html"': u.preferred_class
            for u in atlas.units("fc1")
            if u.firing_rate
        }
        others = {
            u.preferred_class
            for layer in ("conv1", "conv2", "fc1")
            for u in atlas.units(layer)
            if u.firing_rate
        }
    assert set(preferring.values()) != set(range(10))
    for number in range(10):
        text = (tmp_path / f"unit-output-{number}.html").read_text()
        _, heading, after = text.partition("Selective for it")
        assert bool(heading) == (number in others)
        section = after.partition("</section>")[0]
        assert {link for link in preferring if link in section} == {
            link for link, preferred in preferring.items() if preferred == number
        }
    assert "Selective for it" not in (tmp_path / "unit-fc1-0.html").read_text()


@pytest.mark.slow
def test_badges_lead_to_what_they_count(digits_atlas: Path, tmp_path: Path) -> None:
    with Atlas.open(digits_atlas) as atlas:
        export_site(atlas, tmp_path)
    index, page = ((tmp_path / name).read_text() for name in ("index.html", "layer-conv1.html"))
    for text in (index, page):
        assert 'href="layer-conv1.html#show=silent">1 never fires</a>' in text
    assert 'id="show=silent"' in page
    assert 'href="unit-conv1-5.html">twin of 5</a>' in page


def test_scripts_of_others_are_left_alone(digits_atlas: Path, tmp_path: Path) -> None:
    (tmp_path / "site.js").write_text("alert('mine')")
    with Atlas.open(digits_atlas) as atlas, pytest.raises(StorageError, match=r"\(site\.js\)"):
        export_site(atlas, tmp_path)
    assert (tmp_path / "site.js").read_text() == "alert('mine')"
    (tmp_path / "site.js").write_text("/* phosphene: … */")  # of an export that was cut short
    (tmp_path / "search.js.partial").write_text("glob")
    SiteFolder(tmp_path)


def test_a_unit_without_a_page_is_not_listed(tmp_path: Path) -> None:
    """There are statistics of both units, and something to show of one."""
    network = {"name": "N", "input": {}, "labels": [], "parameters": 3, "fingerprint": "ab"}
    behaviour = (1.0, 0.5, 0.1, 0.9, (5,), 0.0, 1.0, (), None, None, None, None, None)
    with Atlas.build(tmp_path / "bare.atlas") as atlas:
        with atlas.job("pass", "pass", "Look") as job:
            job.add(Document("network", network), Document("data", {"count": 5}))
            job.add(LayerRecord("conv", 0, "Conv2d", (2, 8, 8), 2, None, False, True))
            job.add(*(UnitRecord("conv", unit, *behaviour) for unit in range(2)))
        assert enrolled(AtlasView(atlas))[0].units == ()
        with atlas.job("shown", "shown", "Show") as job:
            job.add(ImageRecord(3, None, None, None, np.zeros((1, 8, 8))))
            place = {"y": 1, "x": 1, "box": (0, 0, 3, 3)}
            job.add(ExampleRecord("conv", 0, 0, 3, 0.9, **place, guided=np.zeros((1, 3, 3))))
        assert [u.unit for u in enrolled(AtlasView(atlas))[0].units] == [0]
