"""What one server shows: its exhibits by name, the desk they share, the images given out."""

from collections.abc import Callable, Sequence

from fastapi import HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import PackageLoader

from phosphene.figures.site.pages import Pages
from phosphene.live.desk import Desk
from phosphene.live.exhibits import Exhibit
from phosphene.live.jobs import Jobs
from phosphene.live.served import Images, Served

FRESH = {"cache-control": "no-cache"}

TEMPLATES = PackageLoader("phosphene.live")
"""Of the pages that only a server has."""


class Gallery:
    """Exhibits of one server.

    `desk` is for what answers at once, `long` for what takes seconds, `jobs` for what waits: each
    has a thread of its own, and a network's passes take turns, the desk's first.
    """

    def __init__(self, exhibits: Sequence[Exhibit]) -> None:
        self.exhibits = {exhibit.name: exhibit for exhibit in exhibits}
        self.desk, self.long, self.images = Desk(urgency=2), Desk(most=8), Images()
        self.jobs = Jobs(exhibits)

    def exhibit(self, name: str) -> Exhibit:
        """The exhibit of a name; 404 where there is none."""
        if name not in self.exhibits:
            known = ", ".join(self.exhibits)
            raise HTTPException(404, f"no atlas {name!r} here; there are {known}")
        return self.exhibits[name]

    def beside(self, name: str) -> list[Exhibit]:
        """The others, those first whose networks are there."""
        others = [each for each in self.exhibits.values() if each.name != name]
        return sorted(others, key=lambda each: each.network is None)

    def page(self, name: str, made: Callable[[Pages], str]) -> HTMLResponse:
        """A page of an exhibit, as its atlas is now."""
        with self.exhibit(name).pages(Served(name, self.images, bool(self.beside(name)))) as pages:
            return HTMLResponse(made(pages), headers=FRESH)
