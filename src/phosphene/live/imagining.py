"""A unit's picture while it is drawn, a few steps at a time."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from pydantic import BaseModel, Field

from phosphene.canvas import Spectrum
from phosphene.errors import PhospheneError
from phosphene.figures.ink.palette import picture_to_image
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.desk import BusyError, Desk, StaleError
from phosphene.maximize import Recipe, Step, chosen, on_screen
from phosphene.maximize.easel import FIRST, NEXT, Easel
from phosphene.network import Network
from phosphene.words import number

EVERY = 4
"""Steps from one picture that is shown to the next."""


class Imagined(BaseModel):
    """What is to be drawn, and for how long."""

    unit: str = Field(max_length=300, description="conv2:17, or a class by its name")
    steps: int = Field(96, ge=EVERY, le=512)
    seed: int = Field(0, ge=0, lt=2**31)
    client: str = Field("script", max_length=64, description="who asks; its newest alone is drawn")


class Drawn(BaseModel):
    """A picture on the way, a line of the answer."""

    step: int
    steps: int
    answers: str = Field(description="what the unit answers, as people read it")
    src: str = Field(description="a PNG as a data: link")


def imagine(network: Network, asked: Imagined, spectrum: Spectrum | None) -> Iterator[Drawn]:
    """The pictures of one ascent, as `draw` makes it; one for every few steps, and the last.

    A unit that sleeps at the start is woken first.

    Raises:
        UnknownLayerError, UnknownUnitError: there is no such unit.
    """
    unit = network.unit(asked.unit)
    choice = chosen(network, unit.layer, replace(Recipe(), steps=asked.steps), spectrum)
    easel, salt, pictures = Easel(network, choice, asked.seed), FIRST, None
    _, awake = easel.begun([unit], salt)
    if not awake.all():
        salt = NEXT
        pictures, _, _ = easel.woken([unit], salt)
    steps = easel.ascent([unit], salt, pictures)
    top, left, bottom, right = choice.patch.box
    last = choice.recipe.steps
    for step in steps:
        if step.index % EVERY and step.index != last:
            continue
        shown = on_screen(step.pictures)[0, :, top:bottom, left:right].cpu().numpy()
        yield _told(step, last, data_uri(png_bytes(picture_to_image(shown))))


def _told(step: Step, steps: int, src: str) -> Drawn:
    return Drawn(step=step.index, steps=steps, answers=number(float(step.scores[0])), src=src)


async def lines(
    desk: Desk, client: str, first: Drawn, pictures: Iterator[Drawn]
) -> AsyncIterator[str]:
    """Each picture as a line of JSON, each at its turn; they end when more is asked for.

    What goes wrong on the way is told in the last line.
    """
    found: Drawn | None = first
    while found is not None:
        yield found.model_dump_json() + "\n"
        try:
            found = await desk.do(client, lambda: next(pictures, None))
        except (StaleError, BusyError):
            return
        except PhospheneError as error:
            yield json.dumps({"detail": str(error)}) + "\n"
            return
