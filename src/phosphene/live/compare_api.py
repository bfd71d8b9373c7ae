"""The API of two atlases: their units matched, a picture that fools one network tried on both."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field

from phosphene.live.api import Name, Told, done
from phosphene.live.comparing import GLANCES, Glance, Matched, Matching, glances, match_layers
from phosphene.live.exhibits import Exhibit
from phosphene.live.fooled import Fool, Fooled, fool_both
from phosphene.live.gallery import Gallery
from phosphene.live.served import Served

_REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"model": Told} for code in (404, 409, 413, 422, 503)
}

Unit = Annotated[int, Field(ge=0, lt=2**31)]
Units = Annotated[list[Unit], Query(max_length=GLANCES, description="their numbers")]


def compare_routes(gallery: Gallery) -> APIRouter:
    """The API of what two atlases have in common."""
    router = APIRouter(prefix="/api/{name}")

    @router.post("/match", responses=_REFUSED)
    async def match(name: Name, asked: Matching, request: Request) -> Matched:
        """Units of a layer, each with one of a layer of the other network, and what chance finds.

        Correlated are the responses to the same pictures, the largest value over all positions.
        """
        one, two = gallery.exhibit(name), other(gallery, name, asked.other)
        return await done(
            request, gallery.long, asked.client, lambda: match_layers(one, two, asked)
        )

    @router.post("/fool", responses=_REFUSED)
    async def fool(name: Name, asked: Fool, request: Request) -> Fooled:
        """A picture, changed until one network reads another class, and what the other reads."""
        one, two = gallery.exhibit(name), other(gallery, name, asked.other)
        networks = one.here, two.here
        return await done(
            request, gallery.long, asked.client, lambda: fool_both(*networks, asked, one.picture)
        )

    @router.get("/glances/{layer:path}", responses={404: {"model": Told}, 422: {"model": Told}})
    def some(name: Name, layer: Name, unit: Units) -> list[Glance]:
        """Units of a layer at a glance: their names, pages and pictures."""
        with gallery.exhibit(name).pages(Served(name, gallery.images)) as pages:
            return glances(pages, layer, unit)

    return router


def other(gallery: Gallery, name: str, beside: str) -> Exhibit:
    """The exhibit that another is compared with; 404 where there is none but itself."""
    if beside == name:
        raise HTTPException(404, f"{name} is itself; name another atlas")
    return gallery.exhibit(beside)
