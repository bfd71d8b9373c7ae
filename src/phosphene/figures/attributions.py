"""Where units look in one picture, by several methods, beside the real patches that excite them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.atlas import Atlas
from phosphene.attribution import Attribution, called, guided, method
from phosphene.data import Example, read
from phosphene.errors import InputError, RectifierError
from phosphene.examples import Survey, seen_from
from phosphene.examples import crop as cut
from phosphene.figures.crops import covers, crop
from phosphene.figures.layout import SMALL, Captioned, titled
from phosphene.figures.palette import full_strength, on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.paper import MARGIN, SOFT, Paper
from phosphene.figures.png import AnyImage
from phosphene.figures.sheet import OUTSIDE, WIDTH
from phosphene.figures.viewer import Viewer
from phosphene.network import Network
from phosphene.objectives import Channel, Energy, Neuron, Term, unit_maps
from phosphene.types import Unit
from phosphene.words import class_name, number, plural

LARGE, LARGE_GAP = 1.3, 0.16
SMALL_SIDE, SMALL_PITCH = 0.8, 0.92
PATCHES = 4

Seen = tuple[AnyImage, AnyImage, str]
"""A real patch, the map over it, and its words."""

METHODS = ("gradient", "deconvnet", "guided")
"""What is shown unless something else is asked for."""


def attributions_sheet(
    network: Network,
    picture: Float[Tensor, "c h w"],
    units: Sequence[Unit],
    found: Survey | Atlas,
    data: Dataset[object] | None = None,
    *,
    methods: Sequence[str] = METHODS,
) -> Image.Image:
    """A strip for each unit: maps over the whole picture, then its strongest real patches.

    `methods` are names such as "guided" or "captum:Occlusion": see `phosphene.attribution.method`.
    Maps are of the unit wherever it fires, by how strongly (`Energy`), or at its own position if it
    has one, such as `conv2:17@4,9`; where nothing makes it fire, at its largest value. They are
    signed, blue for more and red for less, each in a range of its
    own. A method that the network's activations do not allow is told in words. The patches are
    those that an atlas keeps, or those that a finished survey `found` in `data`, each cut to the
    unit's receptive field, above its guided gradient.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        InputError, ChannelError, SizeError: the picture does not fit, or a survey without `data`.
        AtlasError: the atlas does not keep the layer.
        SpecError: no such method.

    *Source:* Cogswell 2016, "How do you recognize this cat?"; Zeiler & Fergus 2013, fig. 2.
    """
    asked = {called(name): method(name) for name in methods}
    ways = plural(len(asked), "method")
    paper = titled(
        "Where units look",
        f"On the left the picture, and what in it the unit answers to, by {ways}. On the right the "
        "real patches that excite the unit most, above their guided gradients. "
        f"{_legend(network.input.channels)}",
        max(WIDTH, 2 * MARGIN + (1 + len(asked)) * (LARGE + LARGE_GAP) + PATCHES * SMALL_PITCH),
    )
    patches = _patches(network, found, data)
    for unit in units:
        shown = patches(network.unit(unit))
        _strip(paper, network, picture, unit, methods=asked, patches=shown)
    return paper.image()


def _patches(
    network: Network, found: Survey | Atlas, data: Dataset[object] | None
) -> Callable[[Unit], list[Seen]]:
    """What finds the strongest real patches of a unit."""
    if isinstance(found, Atlas):
        return partial(_kept, Viewer(found))
    if data is None:
        raise InputError(
            "a survey was given without data; expected the pictures that it went over, since it "
            "holds none itself: attributions_sheet(network, picture, units, survey, data)"
        )
    return partial(_surveyed, network, found, data)


def _strip(
    paper: Paper,
    network: Network,
    picture: Float[Tensor, "c h w"],
    unit: Unit,
    *,
    methods: Mapping[str, Attribution],
    patches: Sequence[Seen],
) -> None:
    place, value = _strongest(network, picture, unit)
    everywhere = unit.y is None and value > 0 and network.layer(unit.layer).spatial
    at = Energy(unit.layer, unit.index) if everywhere else _objective(network, unit, (place,))
    name = unit_name(network, unit)
    fires = "answers" if value > 0 else "does not fire and answers"
    up_to = "up to " if everywhere else ""
    paper.heading(f"{name}, which {fires} {up_to}{number(value)} here")
    shown: list[Captioned] = [(picture_to_image(picture.cpu().numpy()), "the picture")]
    for name, attribution in methods.items():
        try:
            (values,) = attribution(network, picture[None], at).cpu().numpy()
        except RectifierError:
            shown.append((None, f"{name}: not defined for this network's activations"))
        else:
            shown.append((on_paper(_coloured(values)), name))
    top, left, lowest = paper.top, MARGIN, 0.0
    for image, words in shown:
        images = [] if image is None else [image]
        lowest = max(lowest, _stacked(paper, images, words, left=left, top=top, side=LARGE))
        left += LARGE + LARGE_GAP
    for real, values, words in patches[:PATCHES]:
        end = _stacked(paper, [real, values], words, left=left, top=top, side=SMALL_SIDE)
        lowest = max(lowest, end)
        left += SMALL_PITCH
    paper.top = lowest + 0.05


def _legend(channels: int) -> str:
    blue = "lue speaks for the unit, red against it."
    if channels != 3:
        return f"B{blue}"
    return (
        "Grey is zero, and a colour says which way each of red, green and blue pulls; where "
        f"they are one, b{blue}"
    )


def _coloured(values: Float[ndarray, "c h w"]) -> UInt8[ndarray, "h w 4"]:
    """A map in colour, unless it says the same of all colours."""
    shown = values[:1] if (values == values[:1]).all() else values
    return signed_to_rgba(shown, full_strength(values))


def _stacked(
    paper: Paper, images: Sequence[AnyImage], words: str, *, left: float, top: float, side: float
) -> float:
    """Pictures of one size, one below the other, and their caption; returns where it ends."""
    height = side
    for image in images:
        height = paper.picture(image, left, top, side)
        top += height + 0.05
    inset = max(0.0, side - height) / 2  # pictures that do not fill the side are centred
    return top + paper.write(words, left + inset, top + 0.01, side, SMALL, color=SOFT)


def unit_name(network: Network, unit: Unit) -> str:
    """What people call a unit: its class if it is one, else layer and number."""
    if network.classifies and network.layer(unit.layer).name == network.logits.name:
        return f"class {class_name(network.classes, unit.index)}"
    return str(unit)


@torch.no_grad()
def _strongest(network: Network, picture: Tensor, unit: Unit) -> tuple[int, float]:
    """Where the unit answers most, or its own position; and its answer there."""
    layer = network.layer(unit.layer)
    values = unit_maps(network.record(picture[None], [unit.layer])[unit.layer])[0, unit.index]
    own = None if unit.y is None else unit.y * layer.shape[-1] + (unit.x or 0)
    place = int(values.argmax()) if own is None else own
    return place, float(values[place])


def _objective(network: Network, unit: Unit, places: tuple[int, ...]) -> Term:
    """The unit at one place for each of several pictures."""
    layer, index = network.layer(unit.layer), (unit.index,) * len(places)
    if not layer.spatial:
        return Channel(unit.layer, index)
    width = layer.shape[2]
    rows, columns = (tuple(p // width for p in places), tuple(p % width for p in places))
    return Neuron(unit.layer, index, rows, columns)


def _kept(viewer: Viewer, unit: Unit) -> list[Seen]:
    """What an atlas keeps of the patches that excite the unit most."""
    return [
        (
            on_paper(patch.crop, OUTSIDE),
            on_paper(patch.guided),
            patch.value if patch.name is None else f"{patch.name}: {patch.value}",
        )
        for patch in viewer.patches(unit.layer, unit.index)[:PATCHES]
    ]


def _surveyed(network: Network, survey: Survey, data: Dataset[object], unit: Unit) -> list[Seen]:
    """The strongest patches, their guided gradients, and what the unit answers to each."""
    top = survey.layers[unit.layer].top
    found = [
        (item, place, value)
        for image, place, value in zip(
            top.images[unit.index].tolist(),
            top.places[unit.index].tolist(),
            top.values[unit.index].tolist(),
            strict=True,
        )
        if isinstance(item := read(data[image]), Example)
    ][:PATCHES]
    pictures = torch.stack([example.picture for example, _, _ in found])
    places = tuple(place for _, place, _ in found)
    maps = guided(network, pictures, _objective(network, unit, places)).cpu()
    patches = []
    for (example, place, value), map_ in zip(found, maps, strict=True):
        real, signed = _cut(network, unit.layer, place, example.picture, map_)
        words = number(value)
        if example.label is not None and network.classifies:
            words = f"a {class_name(network.classes, example.label)}: {words}"
        patches.append((real, signed, words))
    return patches


def _cut(
    network: Network, layer: str, place: int, picture: Tensor, signed: Tensor
) -> tuple[AnyImage, AnyImage]:
    """What a position of a layer saw of a picture and of its map; all of it if it saw it all."""
    site = network.layer(layer)
    box = seen_from(site, network.fields[site.name], place)
    if covers(box, *network.input.size):
        box = (0, 0, *network.input.size)
    (part,) = cut(signed[None], [box])
    return (
        on_paper(crop(picture.numpy(), box), OUTSIDE),
        on_paper(signed_to_rgba(part.numpy())),
    )
