"""The API of long work: put a question, see how far it is, cancel it."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from phosphene.errors import PhospheneError
from phosphene.live.desk import BusyError
from phosphene.live.exhibits import AbsentError
from phosphene.live.gallery import Gallery
from phosphene.live.jobs import Job, State
from phosphene.live.served import Images, Served
from phosphene.live.work import place_of

Name = Annotated[str, InPath(max_length=200)]
Value = str | bool | int | float | None

_REFUSED: dict[int | str, dict[str, Any]] = {
    code: {"description": said}
    for code, said in (
        (404, "no such atlas or job"),
        (422, "no such question or option"),
        (503, "too many wait, or no network"),
    )
}


class Put(BaseModel):
    """A question: its kind, and its options by the names of its form's fields.

    Or `layers`, which adds layers to the atlas: `{"layers": ["conv2"], "units": ["conv2:0-9"]}`.
    """

    kind: str = Field(max_length=100, description="a question of /NAME/ask, or layers")
    options: dict[str, Value | list[Value]] = Field(
        default_factory=dict,
        max_length=50,
        description="an image is the number of a picture in the data, or a PNG or JPEG as a data: "
        "link; other networks are atlases that are shown here, by their names",
    )


class ToldJob(BaseModel):
    """A job: a question with its key, and how far its answer is."""

    id: str
    key: str = Field(
        description="the key of the answer in the atlas; of what trains networks, of the question"
    )
    kind: str
    options: dict[str, Any] = Field(description="as it may be put again; drawings by a name")
    title: str
    state: State
    done: float = Field(description="of `total`, while it runs")
    total: float
    words: str = Field(description="what is being worked on")
    error: str = Field(description="why it failed")
    remarks: list[str] = Field(description="what was said on the way")
    address: str = Field(description="the page of the answer, once it is finished")
    files: list[str] = Field(description="addresses of files that it left")


def job_routes(gallery: Gallery) -> APIRouter:
    """The API of the jobs of a server."""
    router = APIRouter(prefix="/api/{name}/jobs", responses=_REFUSED)

    @router.post("")
    async def put(name: Name, asked: Put) -> ToldJob:
        """Put a question; the same again is the same job, and finished once it is answered."""
        exhibit = gallery.exhibit(name)
        try:
            return _told(
                await run_in_threadpool(gallery.jobs.put, exhibit, asked.kind, asked.options)
            )
        except BusyError:
            raise HTTPException(503, "too many jobs wait; cancel one or come again") from None
        except AbsentError:
            raise
        except PhospheneError as error:
            raise HTTPException(422, str(error)) from None

    @router.get("")
    def listed(name: Name) -> list[ToldJob]:
        """The jobs of this server, the oldest first."""
        return [_told(job) for job in gallery.jobs.of(gallery.exhibit(name))]

    @router.get("/{id}")
    def one(name: Name, id: Name) -> ToldJob:
        """How far a job is."""
        return _told(_job(gallery, name, id))

    @router.get("/{id}/files/{file}", response_class=FileResponse)
    def left(name: Name, id: Name, file: Name) -> FileResponse:
        """A file that a job left, such as a hidden message."""
        for path in _files(_job(gallery, name, id)):
            if path.name == file:
                return FileResponse(path, filename=file, content_disposition_type="attachment")
        raise HTTPException(404, "it left no such file")

    @router.delete("/{id}")
    def cancel(name: Name, id: Name) -> ToldJob:
        """Cancel a job: at once where it waits, at its next step where it runs."""
        job = _job(gallery, name, id)
        gallery.jobs.cancel(job)
        return _told(job)

    return router


def _job(gallery: Gallery, name: str, id: str) -> Job:
    for job in gallery.jobs.of(gallery.exhibit(name)):
        if job.id == id:
            return job
    raise HTTPException(404, "no such job here; what is finished is among the atlas's probes")


def _files(job: Job) -> list[Path]:
    """What a job left, once it is finished."""
    if job.state != "finished":
        return []
    place = place_of(job.exhibit, job.kind, job.options)
    return sorted(each for each in place.iterdir() if each.is_file()) if place.is_dir() else []


def _address(job: Job) -> str:
    """The page of the answer; empty before there is one."""
    if job.page is None:
        return ""
    place, (kind, name) = Served(job.exhibit.name, Images()), job.page
    return place.probe(name) if kind == "probe" else place.layer(name)


def _told(job: Job) -> ToldJob:
    jobs = f"/api/{job.exhibit.name}/jobs"
    return ToldJob(
        id=job.id,
        key=job.id,
        kind=job.kind,
        options=dict(job.options),
        title=job.title,
        state=job.state,
        done=job.done,
        total=job.total,
        words=job.words,
        error=job.error,
        remarks=[] if job.work is None else job.work.remarks,
        address=_address(job),
        files=[f"{jobs}/{job.id}/files/{quote(each.name)}" for each in _files(job)],
    )
