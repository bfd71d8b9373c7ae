"""The pages of a server: those of the static site, and the bench."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import RedirectResponse, Response

from phosphene.atlas import ProbeRecord
from phosphene.figures.site.pages import Pages
from phosphene.figures.site.places import figures_json, page_script, style_sheet
from phosphene.figures.views.layer import LayerView
from phosphene.live.api import Name, Number
from phosphene.live.asking import asking_context
from phosphene.live.bench import bench_context
from phosphene.live.compare_api import other
from phosphene.live.comparing import compared_context
from phosphene.live.gallery import FRESH, TEMPLATES, Gallery
from phosphene.live.served import Served

Beside = Annotated[str, Query(alias="with", max_length=200)]

_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
_ASSETS = {"bench.js": "text/javascript", "bench.css": "text/css", "tours.js": "text/javascript"}
_ASSETS |= {
    "bench-changes.js": "text/javascript",
    "ask.js": "text/javascript",
    "ask.css": "text/css",
    "walks.js": "text/javascript",
    "compare.js": "text/javascript",
    "compare.css": "text/css",
}


def page_routes(gallery: Gallery) -> APIRouter:
    """The pages of every atlas below its name; `/` leads to the first."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def first() -> Response:
        return RedirectResponse(f"/{next(iter(gallery.exhibits))}/")

    @router.get("/{name}/")
    def overview(name: Name) -> Response:
        return gallery.page(name, lambda pages: pages.overview())

    @router.get("/{name}/search.js")
    def index(name: Name) -> Response:
        with gallery.exhibit(name).pages(Served(name, gallery.images)) as pages:
            return Response(pages.index(), media_type="text/javascript", headers=FRESH)

    @router.get("/{name}/bench")
    def bench(name: Name) -> Response:
        told = bench_context(gallery.exhibit(name), gallery.exhibits.values())
        return gallery.page(name, lambda pages: pages.other(TEMPLATES, "bench.html", told))

    @router.get("/{name}/compare")
    def compare(name: Name, beside: Beside = "") -> Response:
        exhibit, others = gallery.exhibit(name), gallery.beside(name)
        if not others:
            raise HTTPException(404, "one atlas is open; open two: phosphene view a.atlas b.atlas")
        second = other(gallery, name, beside) if beside else others[0]
        told = compared_context(exhibit, second, others)
        return gallery.page(name, lambda pages: pages.other(TEMPLATES, "compare.html", told))

    @router.get("/{name}/ask")
    def ask(name: Name) -> Response:
        told = asking_context(gallery.exhibit(name), gallery.exhibits.values())
        return gallery.page(name, lambda pages: pages.other(TEMPLATES, "ask.html", told))

    @router.get("/{name}/layer/{layer:path}")
    def layer(name: Name, layer: Name) -> Response:
        if absent := _absent(gallery, name, layer):
            return absent

        def made(pages: Pages) -> str:
            return pages.layer(LayerView.of(pages.view, pages.view.atlas.layer(layer)))

        return gallery.page(name, made)

    @router.get("/{name}/unit/{layer:path}/{unit}")
    def unit(name: Name, layer: Name, unit: Number) -> Response:
        if absent := _absent(gallery, name, layer, unit):
            return absent

        def made(pages: Pages) -> str:
            atlas = pages.view.atlas
            return pages.unit(LayerView.of(pages.view, atlas.layer(layer)), atlas.unit(layer, unit))

        return gallery.page(name, made)

    @router.get("/{name}/probe/{probe:path}")
    def probe(name: Name, probe: Name) -> Response:
        return gallery.page(name, lambda pages: pages.probe(_probe(pages, probe)))

    @router.get("/{name}/numbers/{probe:path}.json")
    def numbers(name: Name, probe: Name) -> Response:
        with gallery.exhibit(name).pages(Served(name, gallery.images)) as pages:
            figures = figures_json(_probe(pages, probe))
        return Response(figures, media_type="application/json", headers=FRESH)

    return router


def asset_routes(gallery: Gallery) -> APIRouter:
    """Styles, scripts, and the images of pages given out."""
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/{file}")
    def asset(file: Name) -> Response:
        if file == "style.css":
            return Response(style_sheet(), media_type="text/css", headers=FRESH)
        if file == "site.js":
            return Response(page_script(), media_type="text/javascript", headers=FRESH)
        if file not in _ASSETS:
            raise HTTPException(404, "no such file")
        content = files("phosphene.live").joinpath(f"static/{file}").read_bytes()
        return Response(content, media_type=_ASSETS[file], headers=FRESH)

    @router.get("/images/{name}")
    def image(name: Name) -> Response:
        file = gallery.images.get(name)
        if file is None:
            raise HTTPException(404, "this image has gone; open its page again")
        return Response(file, media_type=f"image/{name.rpartition('.')[2]}", headers=_FOREVER)

    return router


def _absent(gallery: Gallery, name: str, layer: str, unit: int | None = None) -> Response | None:
    """The page of what the network has and the atlas does not show; None of all else."""
    exhibit = gallery.exhibit(name)
    place = Served(name, gallery.images)
    told: dict[str, object] = {}
    if layer in exhibit.absent_layers:
        told = {"absent": layer, "layer": layer, "link": place.ask(layer=layer)}
    elif unit is not None:
        with exhibit.pages(place) as pages:
            atlas = pages.view.atlas
            record = atlas.unit(layer, unit)
            if record.unit not in LayerView.of(pages.view, atlas.layer(layer)).examined:
                address = f"{layer}:{unit}"
                told = {"absent": address, "layer": "", "link": place.ask(address)}
    if not told:
        return None
    page = gallery.page(name, lambda pages: pages.other(TEMPLATES, "absent.html", told))
    page.status_code = 404
    return page


def _probe(pages: Pages, name: str) -> ProbeRecord:
    for record in pages.view.probes:
        if record.name == name:
            return record
    raise HTTPException(404, f"no probe {name!r} in this atlas")
