"""The API of long work: put a question, see how far it is, cancel it."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from phosphene.errors import PhospheneError
from phosphene.live.desk import BusyError
from phosphene.live.exhibits import AbsentError
from phosphene.live.gallery import Gallery
from phosphene.live.jobs import Job, State
from phosphene.live.served import Images, Served

Name = Annotated[str, Path(max_length=200)]
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
    """A question: its kind, and its options by the names of its form's fields."""

    kind: str = Field(max_length=100)
    options: dict[str, Value | list[Value]] = Field(default_factory=dict, max_length=50)


class Told(BaseModel):
    """A job: a question with its key, and how far its answer is."""

    id: str
    key: str = Field(description="the key of the answer in the atlas")
    kind: str
    title: str
    state: State
    done: float = Field(description="of `total`, while it runs")
    total: float
    words: str = Field(description="what is being worked on")
    error: str = Field(description="why it failed")
    address: str = Field(description="the page of the answer, once it is finished")


def job_routes(gallery: Gallery) -> APIRouter:
    """The API of the jobs of a server."""
    router = APIRouter(prefix="/api/{name}/jobs", responses=_REFUSED)

    @router.post("")
    async def put(name: Name, asked: Put) -> Told:
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
    def listed(name: Name) -> list[Told]:
        """The jobs of this server, the oldest first."""
        return [_told(job) for job in gallery.jobs.of(gallery.exhibit(name))]

    @router.get("/{id}")
    def one(name: Name, id: Name) -> Told:
        """How far a job is."""
        return _told(_job(gallery, name, id))

    @router.delete("/{id}")
    def cancel(name: Name, id: Name) -> Told:
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


def _told(job: Job) -> Told:
    where = job.probe and Served(job.exhibit.name, Images()).probe(job.probe)
    return Told(
        id=job.id,
        key=job.id,
        kind=job.question.name,
        title=job.title,
        state=job.state,
        done=job.done,
        total=job.total,
        words=job.words,
        error=job.error,
        address=where,
    )
