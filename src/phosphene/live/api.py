"""What scripts and the page ask: atlases, readings, images."""

from typing import Annotated

import torch
from fastapi import APIRouter, HTTPException, Path
from jaxtyping import Float
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.desk import BusyError, StaleError
from phosphene.live.exhibits import Exhibit
from phosphene.live.gallery import Gallery
from phosphene.live.readings import Asked, Reading, read
from phosphene.live.served import Images, Served

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

    @router.post(
        "/{name}/read", responses={code: {"model": Told} for code in (400, 404, 409, 413, 422, 503)}
    )
    async def reading(name: Name, asked: Asked) -> Reading:
        """What the network answers to a picture: classes, where a unit looks, a layer's maps.

        Of what one client asks only the newest is read: 409 for what came before it. 503 where
        too many ask at once, or the network is not there.
        """
        exhibit = gallery.exhibit(name)
        network = exhibit.network
        if network is None:
            raise HTTPException(503, exhibit.missing)

        def kept(number: int) -> Float[Tensor, "c h w"]:
            return torch.from_numpy(exhibit.picture(number)).float()

        try:
            return await gallery.desk.do(asked.client, lambda: read(network, asked, kept))
        except StaleError:
            raise HTTPException(409, "something newer was asked") from None
        except BusyError:
            raise HTTPException(503, "too many ask at once; try again in a moment") from None

    @router.get("/{name}/images/{number}", responses={404: {"model": Told}, 422: {"model": Told}})
    def image(name: Name, number: Number) -> str:
        """An image that the atlas keeps, as the text of a link."""
        return data_uri(png_bytes(picture_to_image(gallery.exhibit(name).picture(number))))

    return router


def _shown(exhibit: Exhibit) -> Shown:
    with exhibit.pages(Served(exhibit.name, Images())) as pages:
        return Shown(
            name=exhibit.name,
            network=str(pages.view.network["name"]),
            layers=[layer.name for layer in pages.view.layers],
            answers=exhibit.network is not None,
            missing=exhibit.missing,
        )
