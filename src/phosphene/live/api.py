"""What scripts and the page ask: atlases, readings, images."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.apart import tree_drawing
from phosphene.live.desk import BusyError, Desk, StaleError
from phosphene.live.exhibits import Exhibit
from phosphene.live.further import (
    Apart,
    Everywhere,
    Frames,
    Moves,
    Parts,
    Towards,
    lead_towards,
    move_everywhere,
    take_apart,
)
from phosphene.live.gallery import Gallery
from phosphene.live.imagining import Drawn, Imagined, imagine, lines
from phosphene.live.readings import Asked, Reading, read
from phosphene.live.served import Images, Served

T = TypeVar("T")

Name = Annotated[str, Path(max_length=200)]
Number = Annotated[int, Path(ge=0, lt=2**62)]


class Shown(BaseModel):
    """An atlas that is shown."""

    name: str = Field(description="its name in addresses")
    network: str
    layers: list[str]
    answers: bool = Field(description="whether its network is there to be asked")
    missing: str = Field(description="why it is not")


class Told(BaseModel):
    """Why something could not be answered."""

    detail: str


def api_routes(gallery: Gallery) -> APIRouter:
    """The API of a server."""
    router = APIRouter(prefix="/api")

    @router.get("/atlases")
    def atlases() -> list[Shown]:
        """The atlases that are shown."""
        return [_shown(each) for each in gallery.exhibits.values()]

    @router.post("/{name}/read", responses=_REFUSED)
    async def reading(name: Name, asked: Asked, request: Request) -> Reading:
        """What the network answers to a picture: classes, where a unit looks, a layer's maps.

        With `changes` it is what the network would answer if units were removed, kept alone or
        raised. Of what one client asks only the newest is read: 409 for what came before it.
        503 where too many ask at once, or the network is not there.
        """
        exhibit = gallery.exhibit(name)
        network = exhibit.here
        return await done(
            request,
            gallery.desk,
            asked.client,
            lambda: read(network, asked, exhibit.picture, exhibit.absent),
        )

    @router.post("/{name}/parts", responses=_REFUSED)
    async def apart(name: Name, asked: Apart, request: Request) -> Parts:
        """What a unit is made of in a picture: its parts, each measured, and theirs."""
        exhibit = gallery.exhibit(name)
        network = exhibit.here
        found = await done(
            request,
            gallery.long,
            asked.client,
            lambda: take_apart(network, asked, exhibit.picture, exhibit.some),
        )
        return Parts(
            words=found.summary,
            tree=found.to_json(),
            drawing=await run_in_threadpool(tree_drawing, gallery, exhibit, found),
        )

    @router.post("/{name}/moves", responses=_REFUSED)
    async def moves(name: Name, asked: Everywhere, request: Request) -> Moves:
        """What becomes of a class while its picture is moved about."""
        exhibit = gallery.exhibit(name)
        network = exhibit.here
        return await done(
            request,
            gallery.long,
            asked.client,
            lambda: move_everywhere(network, asked, exhibit.picture),
        )

    @router.post("/{name}/morph", responses=_REFUSED)
    async def morphed(name: Name, asked: Towards, request: Request) -> Frames:
        """The picture on its way to another class, step by step."""
        exhibit = gallery.exhibit(name)
        network = exhibit.here
        return await done(
            request,
            gallery.long,
            asked.client,
            lambda: lead_towards(network, asked, exhibit.picture),
        )

    @router.post(
        "/{name}/imagine",
        responses=_REFUSED | {200: {"model": Drawn, "description": "a line for each picture"}},
        response_class=StreamingResponse,
    )
    async def imagined(name: Name, asked: Imagined, request: Request) -> Response:
        """A unit's picture while it is drawn: a line of JSON for every few steps."""
        exhibit = gallery.exhibit(name)
        spectrum = await run_in_threadpool(lambda: exhibit.spectrum)
        pictures = imagine(exhibit.here, asked, spectrum)
        first = await done(request, gallery.long, asked.client, lambda: next(pictures))
        found = lines(gallery.long, asked.client, first, pictures)
        return StreamingResponse(found, media_type="application/x-ndjson")

    @router.get("/{name}/images/{number}", responses={404: {"model": Told}, 422: {"model": Told}})
    def image(name: Name, number: Number) -> str:
        """An image that the atlas keeps, as the text of a link."""
        picture = gallery.exhibit(name).picture(number).numpy()
        return data_uri(png_bytes(picture_to_image(picture)))

    return router


_REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"model": Told} for code in (400, 404, 409, 413, 422, 503)
}


async def done(request: Request, desk: Desk, client: str, work: Callable[[], T]) -> T:
    """What `work` gives at a desk; 409 where something newer was asked, 503 where it is full.

    Who closes the page does not wait any more: the work is left, and others go on.
    """
    working = asyncio.ensure_future(desk.do(client, work))
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise HTTPException(499, "nobody waits for this any more")
        return working.result()
    except StaleError:
        raise HTTPException(409, "something newer was asked") from None
    except BusyError:
        raise HTTPException(503, "too many ask at once; try again in a moment") from None
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    """Return when whoever asked has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _shown(exhibit: Exhibit) -> Shown:
    with exhibit.pages(Served(exhibit.name, Images())) as pages:
        return Shown(
            name=exhibit.name,
            network=str(pages.view.network["name"]),
            layers=[layer.name for layer in pages.view.layers],
            answers=exhibit.network is not None,
            missing=exhibit.missing,
        )
