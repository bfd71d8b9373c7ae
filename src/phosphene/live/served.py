"""Where pages stand when a server gives them out, and the images they ask for."""

import hashlib
from collections import OrderedDict
from threading import Lock
from urllib.parse import quote

from phosphene.atlas import ProbeRecord
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.places import INLINE_BYTES

MOST_BYTES = 2**28
"""Images that are held for pages given out; the oldest go first, and come again with their page."""


class Images:
    """Image files under names made of their content."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def put(self, tile: Tile) -> str:
        """Hold an image; its name."""
        file = tile.file
        name = f"{hashlib.blake2b(file, digest_size=16).hexdigest()}.{tile.suffix}"
        with self._lock:
            if name not in self._held:
                self._held[name] = file
                self._bytes += len(file)
            self._held.move_to_end(name)
            while self._bytes > self._most and len(self._held) > 1:
                self._bytes -= len(self._held.popitem(last=False)[1])
        return name

    def get(self, name: str) -> bytes | None:
        """The image of a name, if it is held."""
        with self._lock:
            return self._held.get(name)


class Served:
    """Pages of one atlas below `/NAME/`; `accompanied` where there are others."""

    def __init__(self, name: str, images: Images, accompanied: bool = False) -> None:
        self.name, self.images, self.accompanied = name, images, accompanied

    def overview(self) -> str:
        """The page of the whole atlas."""
        return f"/{self.name}/"

    def layer(self, layer: str) -> str:
        """A page of its own."""
        return f"/{self.name}/layer/{quote(layer, safe='')}"

    def unit(self, layer: str, unit: int) -> str:
        """A page of its own."""
        return f"/{self.name}/unit/{quote(layer, safe='')}/{unit}"

    def probe(self, probe: str) -> str:
        """A page of its own."""
        return f"/{self.name}/probe/{quote(probe, safe='')}"

    def numbers(self, probe: ProbeRecord) -> str:
        """A file of its own."""
        return f"/{self.name}/numbers/{quote(probe.name, safe='')}.json"

    def bench(self) -> str:
        """The page on which the network answers."""
        return f"/{self.name}/bench"

    def compare(self) -> str:
        """The page on which it is compared, where there is another."""
        return f"/{self.name}/compare" if self.accompanied else ""

    def ask(self, unit: str = "", layer: str = "") -> str:
        """The page that puts questions, with a unit or a layer to be added filled in."""
        told = {"unit": unit, "layers": layer}
        filled = "&".join(f"{key}={quote(text, safe='')}" for key, text in told.items() if text)
        return f"/{self.name}/ask" + (f"#{filled}" if filled else "")

    def style(self) -> str:
        """The same for all."""
        return "/assets/style.css"

    def script(self) -> str:
        """The same for all."""
        return "/assets/site.js"

    def index(self) -> str:
        """As the atlas is now."""
        return f"/{self.name}/search.js"

    def image(self, tile: Tile) -> str:
        """A few kilobytes inline, anything larger by itself."""
        return tile.uri if len(tile.file) <= INLINE_BYTES else f"/images/{self.images.put(tile)}"
