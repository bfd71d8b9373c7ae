"""Where units look in one picture, by several methods, beside the real patches that excite them."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.atlas import Atlas
from phosphene.attribution import Attribution, called, method
from phosphene.errors import RectifierError
from phosphene.figures.ink.crops import OUTSIDE, covers, crop
from phosphene.figures.ink.layout import SMALL, titled
from phosphene.figures.ink.palette import map_to_image, on_paper, picture_to_image
from phosphene.figures.ink.paper import MARGIN, SOFT, Paper
from phosphene.figures.ink.png import AnyImage
from phosphene.figures.views.real_patches import Strongest, strongest
from phosphene.network import Network
from phosphene.objectives import Energy, at_places, unit_maps
from phosphene.spellings import Meant, Shown, pictures_of, units_of
from phosphene.survey import Survey, seen_from
from phosphene.survey import crop as cut
from phosphene.units import Box, Unit
from phosphene.words import number, plural

SIDE, GAP = 2.2, 0.16
PATCHES = 4
PATCH, PATCH_GAP = 1.075, 0.05
"""Patches stand two by two, as wide together as a map."""

NARROWEST = 2 * MARGIN + 3 * SIDE + 2 * GAP
"""Inches that what is written above the maps needs."""

SHOWN = ("gradient", "deconvnet", "guided")
"""What is shown unless something else is asked for."""


def attributions_sheet(
    network: Network,
    picture: Shown,
    units: Meant,
    found: Survey | Atlas,
    data: Dataset[object] | None = None,
    *,
    methods: Sequence[str] = SHOWN,
) -> Image.Image:
    """A strip for each unit: maps over the whole picture, below them its strongest real patches.

    `methods` are names such as "guided" or "captum:Occlusion": see `phosphene.attribution.method`.
    Maps are of the unit wherever it fires, by how strongly (`Energy`), or at its own position if it
    has one, such as `conv2:17@4,9`; where nothing makes it fire, at its largest value. They are
    signed, blue for more and red for less, each in a range of its own. A method that
    what the network computes does not allow is told in words. The patches are those that an atlas
    keeps, or those that a finished survey `found` in `data`, each cut to the unit's receptive
    field, and so are the maps of what the unit answers there, by the same methods.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        InputError, ChannelError, SizeError: the picture does not fit, or a survey without `data`.
        AtlasError: the atlas does not keep the layer.
        SettingError: no such method.

    *Source:* Cogswell 2016, "How do you recognize this cat?"; Zeiler & Fergus 2013, fig. 2.
    """
    asked = {called(name): method(name) for name in methods}
    ways = plural(len(asked), "method")
    paper = titled(
        "Where units look",
        f"Above the picture, and what in it the unit answers to, by {ways}. Below the real patches "
        f"that excite the unit most, and what in them it answers to. "
        f"{_legend(network.input.channels)}",
        max(NARROWEST, 2 * MARGIN + (1 + len(asked)) * (SIDE + GAP) - GAP),
    )
    known = strongest(network, found, data)
    (looked_at,) = pictures_of(network, picture)
    for unit in units_of(network, units):
        best = known(unit)[:PATCHES]
        _strip(paper, network, looked_at, unit, methods=asked, best=best)
    return paper.image()


def _strip(
    paper: Paper,
    network: Network,
    picture: Float[Tensor, "c h w"],
    unit: Unit,
    *,
    methods: Mapping[str, Attribution],
    best: Sequence[Strongest],
) -> None:
    place, value = _answer(network, picture, unit)
    layer = network.layer(unit.layer)
    everywhere = unit.y is None and value > 0 and layer.spatial
    at = Energy(unit.layer, unit.index) if everywhere else at_places(layer, unit.index, (place,))
    fires = "answers" if value > 0 else "does not fire and answers"
    up_to = "up to " if everywhere else ""
    paper.heading(f"{network.called(unit)}, which {fires} {up_to}{number(value)} here")
    boxes = _boxes(network, unit.layer, [patch.place for patch in best])
    shown = [
        on_paper(crop(patch.picture.numpy(), box), OUTSIDE)
        for patch, box in zip(best, boxes, strict=True)
    ]
    top, left = paper.top, MARGIN
    lowest = _column(paper, picture_to_image(picture.cpu().numpy()), "the picture", shown, left)
    for name, attribution in methods.items():
        left += SIDE + GAP
        try:
            (whole,) = attribution(network, picture[None], at).cpu()
            maps = _maps(network, unit, attribution, best)
        except RectifierError:
            words = f"{name}: not defined for what this network computes"
            lowest = max(lowest, top + paper.write(words, left, top, SIDE, SMALL, color=SOFT))
        else:
            parts = [map_to_image(part.numpy()) for part in cut(maps, boxes)]
            lowest = max(lowest, _column(paper, map_to_image(whole.numpy()), name, parts, left))
    paper.top = lowest + 0.04
    answers = "; ".join(patch.words for patch in best) or "none are known"
    paper.top += paper.write(f"Patches: {answers}", size=SMALL, color=SOFT)


def _maps(
    network: Network, unit: Unit, attribution: Attribution, best: Sequence[Strongest]
) -> Float[Tensor, "n c h w"]:
    """What the unit answers to at the place of each patch, over the whole of its picture."""
    if not best:
        return torch.zeros(0, *network.input.shape)
    at = at_places(network.layer(unit.layer), unit.index, [patch.place for patch in best])
    return attribution(network, torch.stack([patch.picture for patch in best]), at).cpu()


def _column(
    paper: Paper, whole: AnyImage, words: str, parts: Sequence[AnyImage], left: float
) -> float:
    """A picture with its caption above patches, two by two; returns where it ends."""
    top = paper.top + paper.picture(whole, left, paper.top, SIDE) + 0.03
    top += paper.write(words, left, top, SIDE, SMALL, color=SOFT) + 0.05
    lowest = top
    for i, part in enumerate(parts):
        x, y = i % 2, i // 2
        height = paper.picture(
            part, left + x * (PATCH + PATCH_GAP), top + y * (PATCH + PATCH_GAP), PATCH
        )
        lowest = max(lowest, top + y * (PATCH + PATCH_GAP) + height)
    return lowest


def _legend(channels: int) -> str:
    blue = "lue speaks for the unit, red against it."
    if channels != 3:
        return f"B{blue}"
    return (
        "Grey is zero, and a colour says which way each of red, green and blue pulls; where "
        f"they are one, b{blue}"
    )


@torch.no_grad()
def _answer(network: Network, picture: Tensor, unit: Unit) -> tuple[int, float]:
    """Where the unit answers most, or its own position; and its answer there."""
    layer = network.layer(unit.layer)
    values = unit_maps(network.record(picture[None], [unit.layer])[unit.layer])[0, unit.index]
    own = None if unit.y is None else unit.y * layer.shape[-1] + (unit.x or 0)
    place = int(values.argmax()) if own is None else own
    return place, float(values[place])


def _boxes(network: Network, layer: str, places: Sequence[int]) -> list[Box]:
    """What positions of a layer see; the whole picture if one sees it all."""
    site, whole = network.layer(layer), (0, 0, *network.input.size)
    seen = [seen_from(site, network.fields[site.name], place) for place in places]
    return [whole if covers(box, *network.input.size) else box for box in seen]
