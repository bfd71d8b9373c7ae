"""The server: pages of atlases, and an API on which their networks answer."""

from asyncio import sleep
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from phosphene.errors import PhospheneError, UnknownLayerError, UnknownUnitError
from phosphene.live.api import api_routes
from phosphene.live.compare_api import compare_routes
from phosphene.live.exhibits import AbsentError, Exhibit, UnknownImageError
from phosphene.live.gallery import Gallery
from phosphene.live.jobs_api import job_routes
from phosphene.live.rooms import asset_routes, page_routes
from phosphene.version import __version__

_UNKNOWN = (UnknownLayerError, UnknownUnitError, UnknownImageError)


def live_app(exhibits: Sequence[Exhibit]) -> FastAPI:
    """The server of some atlases, without a guard (see `Guard`).

    `/` leads to the first atlas, `/NAME/` is its overview and `/NAME/bench` its bench;
    `/openapi.json` describes the API.
    """
    gallery = Gallery(exhibits)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        gallery.jobs.take_up()
        yield
        gallery.jobs.close()
        for exhibit in exhibits:
            exhibit.shelf.close()
        for _step in range(100):  # five seconds for the step that is at work
            if not gallery.jobs.busy:
                break
            await sleep(0.05)
        gallery.desk.close()
        gallery.long.close()

    app = FastAPI(
        title="phosphene", version=__version__, lifespan=running, docs_url=None, redoc_url=None
    )

    @app.exception_handler(PhospheneError)
    async def said(_: Request, error: Exception) -> Response:
        status = (
            404 if isinstance(error, _UNKNOWN) else 503 if isinstance(error, AbsentError) else 422
        )
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def misformed(_: Request, error: RequestValidationError) -> Response:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"detail": "; ".join(told)}, 422)

    for router in (
        job_routes(gallery),
        api_routes(gallery),
        compare_routes(gallery),
        asset_routes(gallery),
        page_routes(gallery),
    ):
        app.include_router(router)
    return app
