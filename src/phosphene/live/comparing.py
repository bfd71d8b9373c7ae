"""Two networks compared: units matched to units by the same pictures, and what a page shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch.utils.data import Dataset, Subset

from phosphene.atlas import Atlas
from phosphene.data.dataset import length
from phosphene.errors import DataError, PhospheneError
from phosphene.figures.ink.tile import Tile
from phosphene.figures.site.pages import Pages
from phosphene.live.bench import bench_context
from phosphene.live.exhibits import Exhibit
from phosphene.network import Network
from phosphene.survey import UnitMatch, match_units
from phosphene.survey.matching import FEWEST
from phosphene.words import number, plural

MOST = 1000
"""Pictures by which units are matched."""

_SMALL, _FEW = 64, 100
"""Of pictures beyond this side, so many unless more are asked for: each costs two passes."""

_DRAWS, _FEWEST_DRAWS, _WIDE = 10, 3, 2**20
"""Draws of the null; of layers whose units make more pairs than that, in proportion fewer."""

GLANCES = 60
"""Units whose pictures are asked for at once."""


class Matching(BaseModel):
    """Two layers whose units are to be matched."""

    other: str = Field(max_length=200, description="the other atlas, by its name in addresses")
    layer: str = Field(max_length=300)
    other_layer: str = Field(max_length=300)
    pictures: int | None = Field(None, ge=FEWEST, le=MOST, description="at most; none: as usual")
    client: str = Field("script", max_length=64, description="who asks; its newest alone is done")


class Pair(BaseModel):
    """A unit of each layer."""

    unit: int
    other: int
    correlation: float
    told: str = Field(description="the correlation as people read it")
    above: bool = Field(description="whether it is beyond the bound of chance")


class Chance(BaseModel):
    """What the same matching finds with the pictures of one network permuted."""

    draws: int
    mean: float | None
    bound: float | None = Field(description="what 99 % of the pairs stay below")
    strongest: float | None
    words: str
    line: str = Field(description="what stands between the pairs beyond it and those that are not")


class Matched(BaseModel):
    """Units of two layers, one to one, the strongest pairs first."""

    words: str
    by: str = Field(description="which pictures, and how many of how many")
    pictures: int
    pairs: list[Pair]
    constant: tuple[list[int], list[int]] = Field(description="units of either that never change")
    chance: Chance


class Glance(BaseModel):
    """A unit at a glance."""

    unit: int
    name: str
    page: str = Field(description="its page; empty where it has none")
    drawn: str = Field(description="the source of its synthetic picture; empty where there is none")
    real: str = Field(description="that of its strongest real patch")


@dataclass(frozen=True)
class Common:
    """The same pictures for two networks, and which they are in words."""

    pictures: Dataset[Any]
    beside: Dataset[Any]
    words: str


def usual(*networks: Network) -> int:
    """By how many pictures the units of networks are matched unless somebody says."""
    return MOST if max(max(each.input.size) for each in networks) <= _SMALL else _FEW


def match_layers(one: Exhibit, two: Exhibit, asked: Matching) -> Matched:
    """Units of a layer matched to those of a layer of the other network.

    Raises:
        AbsentError: a network is not there.
        UnknownLayerError: it has no such layer.
        DataError: there are no pictures for both, or the layers are too wide.
        InputError: the pictures do not fit the other network.
    """
    networks = one.here, two.here
    layers = networks[0].layer(asked.layer), networks[1].layer(asked.other_layer)
    common = in_common(one, two, asked.pictures or usual(*networks))
    wide = layers[0].units * layers[1].units / _WIDE
    found = match_units(
        networks[0],
        layers[0].name,
        networks[1],
        layers[1].name,
        common.pictures,
        other_pictures=common.beside,
        draws=max(_FEWEST_DRAWS, min(_DRAWS, int(_DRAWS / wide))),
    )
    return _told(found, common.words)


def in_common(one: Exhibit, two: Exhibit, most: int) -> Common:
    """Pictures for both: the data of the first, else those that both atlases keep of the same data.

    Raises:
        DataError: there are neither, with what is needed.
    """
    try:
        subject = one.subject
        if subject.has_data:
            data = subject.data, subject.data_for(two.here, two.subject.resize)
            return _some(*data, most, str(getattr(data[0], "name", "the data")))
        missing = f"{one.path.name} names no data"
    except PhospheneError as error:
        missing = f"the data of {one.path.name} are not here ({error})"
    numbers = sorted({*one.images} & {*two.images}) if _same_data(one, two) else []
    kept = one.pictures(numbers), two.pictures(numbers)
    both = [number for number in numbers if number in kept[0] and number in kept[1]]
    if not both:
        raise DataError(
            f"{missing}, and the two atlases keep no images of the same data; build both on the "
            "same data, or open the one whose data are on this machine first"
        )
    own, beside = ([each[number] for number in both] for each in kept)
    return _some(_Kept(own), _Kept(beside), most, "the images that both atlases keep")


class _Kept(Dataset[Any]):
    """Pictures that are there, all of one shape."""

    def __init__(self, pictures: Sequence[torch.Tensor]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.pictures[index]


def _some(one: Dataset[Any], two: Dataset[Any], most: int, name: str) -> Common:
    """No more than `most`, from all over."""
    count = length(one)
    taken = range(0, count, max(1, -(-count // most)))
    if length(two) != count:
        raise DataError(f"{name} are {count:,} pictures for the one network, {length(two):,} else")
    words = f"{len(taken):,} of {count:,}" if len(taken) < count else f"all {count:,}"
    return Common(Subset(one, taken), Subset(two, taken), f"{words} of {name}")


def _same_data(one: Exhibit, two: Exhibit) -> bool:
    """Whether both atlases were built on the same data, so that numbers mean the same images."""
    prints = []
    for exhibit in (one, two):
        with Atlas.open(exhibit.path) as atlas:
            prints.append(atlas.document("data", {}).get("fingerprint"))
    return bool(prints[0]) and prints[0] == prints[1]


def _told(found: UnitMatch, by: str) -> Matched:
    rows = zip(found.pairs.tolist(), found.correlation.tolist(), found.above.tolist(), strict=True)
    return Matched(
        words=found.summary,
        by=by,
        pictures=found.pictures,
        pairs=[
            Pair(unit=i, other=j, correlation=r, told=number(r), above=above)
            for (i, j), r, above in rows
        ],
        constant=(list(found.constant[0]), list(found.constant[1])),
        chance=_chance(found),
    )


def _chance(found: UnitMatch) -> Chance:
    null = found.to_json()["null"]
    if found.bound is None:
        return Chance(**null, words="", line="")
    return Chance(
        **null,
        words=f"Permuted {plural(null['draws'], 'time')}, pairs correlate at "
        f"{number(null['mean'])} in the mean, the strongest at {number(null['strongest'])}.",
        line=f"From here on as by chance: not beyond {number(found.bound)}",
    )


def compared_context(exhibit: Exhibit, other: Exhibit, others: Iterable[Exhibit]) -> dict[str, Any]:
    """What the page of two atlases is told: the bench's words, and the other's layers."""
    told = bench_context(exhibit, others)
    shown = [_layers(each) for each in (exhibit, other)]
    networks = [each.network for each in (exhibit, other) if each.network is not None]
    same = next((name for name in shown[0] if name in shown[1]), "")
    return told | {
        "scripts": ("bench.js", "compare.js"),
        "beside": other,
        "alike": len({each.fingerprint for each in networks}) < len(networks),
        "beside_pages": f"/{other.name}/",
        "both": " beside ".join(_names(exhibit, other)),
        "layers_of": shown,
        "same": same,
        "most": MOST,
        "usual": usual(*networks) if networks else MOST,
    }


def _names(exhibit: Exhibit, other: Exhibit) -> list[str]:
    """What to call the two: their networks, or their atlases where those are called alike."""
    named = [each.name if each.network is None else each.network.name for each in (exhibit, other)]
    return named if named[0] != named[1] else [exhibit.name, other.name]


def _layers(exhibit: Exhibit) -> list[str]:
    """The layers that the atlas shows, with those units whose pictures can stand beside others."""
    with Atlas.open(exhibit.path) as atlas:
        names = [layer.name for layer in atlas.layers()]
    network = exhibit.network
    return names if network is None else [name for name in names if name in network.layers]


def glances(pages: Pages, layer: str, units: Sequence[int]) -> list[Glance]:
    """Units of a layer at a glance, those that the layer has."""
    record = pages.view.atlas.layer(layer)
    found = []
    for unit in units:
        if unit < record.units:
            thumb = pages.neighbours.thumb(record.name, unit)
            found.append(
                Glance(
                    unit=unit,
                    name=thumb.name,
                    page=pages.place.unit(record.name, unit) if thumb.shown else "",
                    drawn=_source(pages, thumb.drawn),
                    real=_source(pages, thumb.real),
                )
            )
    return found


def _source(pages: Pages, tile: Tile | None) -> str:
    return "" if tile is None else pages.place.image(tile.alone())
