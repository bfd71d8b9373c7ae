"""Where pages stand: what a link to each of them looks like, and what becomes of their images."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol, runtime_checkable

from phosphene.atlas import ProbeRecord
from phosphene.figures.ink.png import data_uri
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.folder import INDEX, SCRIPT, SiteFolder, slug

INLINE_BYTES = 1024
"""Of an image that stands in its page: in text it takes a third more, and again on each page."""


@runtime_checkable
class Place(Protocol):
    """What the templates ask for; a folder, a server and a page by itself each answer differently.

    A link is empty where there is no such page: what would lead there stands without one.
    """

    def overview(self) -> str:
        """The link to the overview."""

    def layer(self, layer: str) -> str:
        """The link to a layer's page."""

    def unit(self, layer: str, unit: int) -> str:
        """The link to a unit's page."""

    def probe(self, probe: str) -> str:
        """The link to a probe's page, by the probe's name."""

    def numbers(self, probe: ProbeRecord) -> str:
        """The link to all figures of a probe as JSON."""

    def bench(self) -> str:
        """The link to the page on which the network answers."""

    def compare(self) -> str:
        """The link to the page on which the network is compared with another."""

    def ask(self, unit: str = "") -> str:
        """The link to the page that puts questions, about a unit if one is named."""

    def style(self) -> str:
        """The link to the style sheet."""

    def script(self) -> str:
        """The link to the script of all pages, which do without it."""

    def index(self) -> str:
        """The link to what the script searches in (see `Pages.index`)."""

    def image(self, tile: Tile) -> str:
        """The source of an image."""


class Alone:
    """A page with everything in it that it shows, and links to no other."""

    def overview(self) -> str:
        """None."""
        return ""

    def layer(self, layer: str) -> str:
        """None."""
        return ""

    def unit(self, layer: str, unit: int) -> str:
        """None."""
        return ""

    def probe(self, probe: str) -> str:
        """None."""
        return ""

    def numbers(self, probe: ProbeRecord) -> str:
        """The figures themselves."""
        return data_uri(figures_json(probe), "application/json")

    def bench(self) -> str:
        """None."""
        return ""

    def compare(self) -> str:
        """None."""
        return ""

    def ask(self, unit: str = "") -> str:
        """None."""
        return ""

    def style(self) -> str:
        """The style sheet itself."""
        return data_uri(style_sheet(), "text/css")

    def script(self) -> str:
        """None."""
        return ""

    def index(self) -> str:
        """None."""
        return ""

    def image(self, tile: Tile) -> str:
        """The image itself."""
        return tile.uri


@dataclass(frozen=True)
class InFolder:
    """Pages beside each other in a folder, with their larger images and figures as files.

    `live` is the file of the bench, where there is one.
    """

    folder: SiteFolder
    live: str = ""

    def overview(self) -> str:
        """A file name, as of all pages."""
        return "index.html"

    def layer(self, layer: str) -> str:
        """A file name that is safe whatever the layer is called."""
        return f"layer-{slug(layer)}.html"

    def unit(self, layer: str, unit: int) -> str:
        """A file name that is safe whatever the layer is called."""
        return f"unit-{slug(layer)}-{unit}.html"

    def probe(self, probe: str) -> str:
        """A file name that is safe whatever the probe is called."""
        return f"probe-{slug(probe)}.html"

    def numbers(self, probe: ProbeRecord) -> str:
        """A file that is written with the page."""
        name = f"probe-{slug(probe.name)}.json"
        self.folder.write(name, figures_json(probe))
        return name

    def bench(self) -> str:
        """A file, if it was asked for."""
        return self.live

    def compare(self) -> str:
        """None: the other is no part of the folder."""
        return ""

    def ask(self, unit: str = "") -> str:
        """None: questions are put to a server."""
        return ""

    def style(self) -> str:
        """A file that is written with the page."""
        self.folder.write("style.css", style_sheet())
        return "style.css"

    def script(self) -> str:
        """A file that is written with the page."""
        self.folder.write(SCRIPT, page_script())
        return SCRIPT

    def index(self) -> str:
        """A file name, as of the pages."""
        return INDEX

    def image(self, tile: Tile) -> str:
        """A small one inline, anything larger in `img/`, once."""
        if len(tile.file) <= INLINE_BYTES:
            return tile.uri
        return self.folder.image(tile.file, tile.suffix)


def style_sheet() -> bytes:
    """The style of all pages."""
    return files("phosphene.figures.site").joinpath("static/style.css").read_bytes()


def page_script() -> bytes:
    """The script of all pages."""
    return files("phosphene.figures.site").joinpath("static/site.js").read_bytes()


def figures_json(probe: ProbeRecord) -> bytes:
    """The figures of a probe, to be read by people and programs."""
    return json.dumps(probe.figures, indent=1, ensure_ascii=False).encode()
