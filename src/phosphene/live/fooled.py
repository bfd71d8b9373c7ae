"""A picture led to another class on one network, and shown to another: does it fool both?"""

from jaxtyping import Float
from PIL import Image
from pydantic import BaseModel, Field
from torch import Tensor

from phosphene.errors import InputError, UnknownUnitError
from phosphene.figures.ink.palette import map_to_image, picture_to_image
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.live.readings import Bar, bars
from phosphene.live.sent import Kept, Sent, picture_sent
from phosphene.maximize import Optimizer
from phosphene.naming import class_called
from phosphene.network import Network
from phosphene.probes.film import CONVINCED, Film
from phosphene.probes.fooling import fool, usual_rate
from phosphene.spellings import classes_of, picture_of
from phosphene.words import class_name, percent, plural

_GENTLE = 0.1
"""Of the usual step: what begins as a picture changes less than noise does."""

_BARS = 5


class Fool(Sent):
    """A picture, the class to fool the network towards, and the other network it is shown to."""

    other: str = Field(max_length=200, description="the other atlas, by its name in addresses")
    unit: str = Field(max_length=300, description="a class by its name or number")
    rate: float | None = Field(
        None, gt=0, le=1, description="of a step, in deviations of its gradient; none: as usual"
    )


class Seen(BaseModel):
    """What a network reads in the picture as it was, and in the changed one."""

    network: str
    before: list[Bar]
    after: list[Bar]
    fooled: bool = Field(description="whether it reads the class that was aimed at")
    unread: str = Field("", description="why there are no classes")


class Fooled(BaseModel):
    """A picture that was changed until one network read another class in it."""

    words: str
    steps: int
    original: str = Field(description="a PNG as a data: link, as are the others")
    change: str = Field(description="what was added, each value in the range of the strongest")
    changed: str
    one: Seen
    two: Seen


def fool_both(one: Network, two: Network, asked: Fool, kept: Kept) -> Fooled:
    """A picture led to a class on `one` until it is convinced, and what `two` makes of it.

    Raises:
        UnreadableImageError, InputError: of the picture, or it is read as that class already.
        NetworkError, UnknownUnitError: `one` does not classify, or has no such class.
    """
    picture = picture_sent(one, asked, kept)
    (target,) = classes_of(one, asked.unit)
    name = class_name(one.classes, target)
    before = bars(one, picture[None], _BARS)
    if before[0].index == target:
        raise InputError(f"{one.name} reads {name} already; choose another class to fool it into")
    rate = _GENTLE * usual_rate(one) if asked.rate is None else asked.rate
    film = fool(one, target, picture[None], optimizer=Optimizer("NormalizedGradient", rate))
    steps, changed = _furthest(film)
    after = bars(one, changed[None].to(one.device), _BARS)
    first = Seen(
        network=one.name, before=before, after=after, fooled=after[0].index == target, unread=""
    )
    second = _beside(two, name, picture, changed)
    difference = (changed - picture.cpu()).numpy()
    said = (
        _verdict(name, first, second, two)
        if first.fooled
        else (
            f"It fools nobody: {one.name} reads {after[0].name}, and gives {name} "
            f"{percent(float(film.towards[steps, 0]))}."
        )
    )
    return Fooled(
        words=f"{said} {_effort(film, steps)}",
        steps=steps,
        original=data_uri(png_bytes(picture_to_image(picture.cpu().numpy()))),
        change=data_uri(png_bytes(map_to_image(difference))),
        changed=data_uri(png_bytes(picture_to_image(changed.numpy()))),
        one=first,
        two=second,
    )


def _furthest(film: Film) -> tuple[int, Float[Tensor, "c h w"]]:
    """The first frame that convinces, or the one that comes nearest, and its step."""
    step = (film.reached(CONVINCED)[0] or film.best[0]).step
    return step, film.frames[step, 0]


def _beside(
    network: Network, name: str, original: Float[Tensor, "c h w"], changed: Float[Tensor, "c h w"]
) -> Seen:
    """What the other network reads in both, each as it takes pictures."""
    if not network.classifies:
        return Seen(network=network.name, before=[], after=[], fooled=False, unread=network.unread)
    before, after = (
        bars(network, as_taken(network, each)[None], _BARS) for each in (original, changed)
    )
    fooled = after[0].index == _known(network, name)
    return Seen(network=network.name, before=before, after=after, fooled=fooled, unread="")


def as_taken(network: Network, picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c2 h2 w2"]:
    """A picture of another network as this one takes it: itself where it fits, else resized.

    Raises:
        DataError: it has channels that no other number can be made of.
    """
    if picture.shape != network.input.shape:
        picture = picture_of(network, Image.fromarray(picture_to_image(picture.cpu().numpy())))
    return picture.to(network.device)


def _known(network: Network, name: str) -> int | None:
    """The class of the other network that has this name; of several of it none."""
    try:
        return class_called(name, network.classes)
    except UnknownUnitError:
        return None


def _verdict(name: str, first: Seen, second: Seen, two: Network) -> str:
    """Whether the other is fooled as well."""
    own = f"{first.network} reads {name}, {percent(first.after[0].share)}"
    if second.unread:
        return f"It fools {first.network}: {own}. {second.network} reads no classes."
    read = second.after[0]
    told = f"{read.name}, {percent(read.share)}"
    if second.fooled:
        if second.before[0].index == read.index:
            return f"{own}; {second.network} reads {told}, and did so before the change."
        return f"It fools both: {own}; {second.network} reads {told}."
    kept = (
        "as before"
        if second.before[0].index == read.index
        else (f"no longer {second.before[0].name}, but not what was aimed at")
    )
    lacking = "" if _known(two, name) is not None else f"; it has no class {name}"
    return f"It fools only the first: {own}; {second.network} reads {told}, {kept}{lacking}."


def _effort(film: Film, step: int) -> str:
    """How long it took and how much was changed."""
    return (
        f"{plural(step, 'step')} changed no pixel by more than "
        f"{percent(float(film.linf[step, 0]))} of the range."
    )
