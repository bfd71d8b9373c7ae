"""The static site: an overview, a page per layer, a page per unit, whole without scripts."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from phosphene.atlas import Atlas, blaming_damage
from phosphene.figures.site.folder import SiteFolder
from phosphene.figures.site.pages import Pages
from phosphene.figures.site.places import InFolder
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.progress import tell, telling

BENCH = "bench.html"

Bench = Callable[[Pages], Mapping[str, str]]
"""The files of a bench beside the pages, by their names; `bench.html` among them."""


@telling("writing pages")
def export_site(atlas: Atlas, folder: Path, bench: Bench | None = None) -> Path:
    """Write the whole atlas as web pages that open from disk; returns the path of `index.html`.

    What is damaged in the atlas is left out, with a sentence in its place and on the overview.
    The same atlas gives the same bytes, so exporting again changes nothing. Pages and images
    that only an earlier export had are removed; files of other people are left alone. With a
    `bench` all pages lead to it.

    Raises:
        StorageError: the folder cannot be written, or holds what no export left there.
        UnfinishedAtlasError: the study has not come as far as anything to show.
        DamagedError, TruncatedAtlasError: too little of the atlas is left.
    """
    with blaming_damage(atlas):
        return _export(AtlasView(atlas), SiteFolder(Path(folder)), bench)


def _export(view: AtlasView, folder: SiteFolder, bench: Bench | None) -> Path:
    place = InFolder(folder, BENCH if bench else "")
    if bench is not None:
        for name, content in bench(Pages(view, place)).items():
            folder.write(name, content)
    total = 2 + sum(1 + len(view.atlas.examined(layer.name)) for layer in view.layers)
    total += len(view.probes)
    for done, (name, page) in enumerate(_pages(view, place), start=1):
        folder.write(name, page)
        tell(done, total)
    folder.remove_stale()
    return folder.folder / "index.html"


def _pages(view: AtlasView, place: InFolder) -> Iterator[tuple[str, str]]:
    """Names and texts of all pages; the index comes last, when everything it links to is there."""
    pages = Pages(view, place)
    for record in view.layers:
        layer = LayerView(view, record)
        yield place.layer(layer.name), pages.layer(layer)
        for unit in layer.shown:
            yield place.unit(layer.name, unit.unit), pages.unit(layer, unit)
    for probe in view.probes:
        yield place.probe(probe.name), pages.probe(probe)
    yield place.index(), pages.index()
    yield place.overview(), pages.overview()
