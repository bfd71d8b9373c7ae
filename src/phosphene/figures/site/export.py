"""The static site: an overview, a page per layer, a page per unit; no script, no server."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from phosphene.atlas import Atlas, blaming_damage
from phosphene.figures.site.folder import SiteFolder
from phosphene.figures.site.pages import Pages, layer_href, probe_href, unit_href
from phosphene.figures.site.viewer import Viewer
from phosphene.version import __version__
from phosphene.words import number, percent, plural

Progress = Callable[[int, int], None]


def export_site(atlas: Atlas, folder: Path, progress: Progress | None = None) -> Path:
    """Write the whole atlas as web pages that open from disk; returns the path of `index.html`.

    What is damaged in the atlas is left out, with a sentence in its place and on the overview.
    The same atlas gives the same bytes, so exporting again changes nothing. Pages and images
    that only an earlier export had are removed; files of other people are left alone.

    `progress(done, total)` is called after every page.

    Raises:
        StorageError: the folder cannot be written, or holds what no export left there.
        UnfinishedAtlasError: the study has not come as far as anything to show.
        DamagedError, TruncatedAtlasError: too little of the atlas is left.
    """
    with blaming_damage(atlas):
        return _export(Viewer(atlas), SiteFolder(Path(folder)), progress)


def _export(viewer: Viewer, place: SiteFolder, progress: Progress | None) -> Path:
    total = 1 + sum(1 + len(viewer.examined(layer.name)) for layer in viewer.layers)
    total += len(viewer.probes)
    place.write(
        "style.css", files("phosphene.figures.site").joinpath("static/style.css").read_bytes()
    )
    for done, (name, page) in enumerate(_pages(viewer, place), start=1):
        place.write(name, page)
        if progress is not None:
            progress(done, total)
    place.remove_stale()
    return place.folder / "index.html"


def _pages(viewer: Viewer, place: SiteFolder) -> Iterator[tuple[str, str]]:
    """Names and texts of all pages; the index comes last, when everything it links to is there."""
    pages, jinja = Pages(viewer, place), _environment(viewer)
    layer_template = jinja.get_template("layer.html")
    unit_template = jinja.get_template("unit.html")
    for layer in viewer.layers:
        yield layer_href(layer), layer_template.render(pages.layer(layer))
        for record in viewer.shown(layer.name):
            yield unit_href(layer, record.unit), unit_template.render(pages.unit(layer, record))
    probe_template = jinja.get_template("probe.html")
    for probe in viewer.probes:
        yield probe_href(probe), probe_template.render(pages.probe(probe))
    yield "index.html", jinja.get_template("index.html").render(pages.index())


def _environment(viewer: Viewer) -> Environment:
    jinja = Environment(
        loader=PackageLoader("phosphene.figures.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(number=number, percent=percent, plural=plural)
    jinja.globals.update(
        network=viewer.network,
        reading=viewer.reading,
        version=__version__,
        layer_href=layer_href,
        unit_href=unit_href,
        probe_href=probe_href,
        unit_name=viewer.unit_name,
        class_name=viewer.class_name,
    )
    return jinja
