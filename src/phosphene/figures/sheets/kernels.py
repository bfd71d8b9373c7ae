"""What a network's weights look like: as pictures, and beside what they see and what they like."""

from collections.abc import Sequence

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.errors import NetworkError
from phosphene.figures.ink.compositions import captioned, mapped
from phosphene.figures.ink.layout import COLUMNS, LARGE, SIDE, Captioned, gallery, rows, titled
from phosphene.figures.ink.palette import on_paper, signed_to_rgba
from phosphene.figures.ink.png import mosaic
from phosphene.figures.ink.ruler import magnitude, ruler
from phosphene.maximize import Drawing, StrongestPatch
from phosphene.network import Network
from phosphene.probes.kernels import Filters, Weights, filters, weights
from phosphene.results import sheet
from phosphene.words import number, plural


def weights_sheet(network: Network, layer: str, limit: float | None = None) -> Image.Image:
    """The weights of each unit of a layer as a picture, all in one symmetric range.

    The range goes to `limit`, or to the largest weight of the layer.

    The layer is the network's first. A dense one has a weight for each value of the picture, and
    they are laid out like it; a convolution has its kernels. Of any number of channels but three,
    the sum is shown.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the layer's weights are no pictures; with the layers whose weights are.

    *Source:* Bruner, "Interpretability of neural networks" (softmax regression).
    """
    return weights_figure(weights(network, layer), limit)


@sheet.register
def weights_figure(found: Weights, limit: float | None = None) -> Image.Image:
    """The same of weights that were measured; raises `NetworkError` where they are no pictures."""
    if found.pictures is None:
        raise NetworkError(found.unseen)
    shown = found.pictures
    limit = magnitude(shown) if limit is None else limit
    paper = titled(f"{found.layer} · {found.kind}", f"The weights of {plural(len(shown), 'unit')}.")
    paper.top += 0.1
    ruler(paper, limit, "is a weight, in one range for all units", found.pictures.shape[1])
    items = [
        mapped(picture, f"{name}: {_range(picture)}", limit)
        for name, picture in zip(found.names, shown, strict=True)
    ]
    gallery(paper, items, LARGE if len(items) <= 20 else SIDE)
    return paper.image()


def filters_sheet(
    network: Network,
    layer: str,
    picture: Float[Tensor, "c h w"],
    drawings: Sequence[Drawing],
) -> Image.Image:
    """All channels of a convolution in three rows, lined up: what each is, sees and likes.

    From above: the channel's weights, one kernel beside the other where it looks at more than the
    picture; its activations on `picture`; and what excites it: from `drawings` (as `draw` gives
    them, in any order), or, where a filter looks at the picture itself and that is stronger, the
    patch that no other exceeds (see `strongest_patches`). Weights, and activations, have one range
    for all channels.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the layer is no convolution; with the layers that are.
        InputError, ChannelError, SizeError: the picture does not fit.

    *Source:* Bruner, "Interpretability of neural networks".
    """
    return filters_figure(filters(network, layer, picture, drawings))


@sheet.register
def filters_figure(found: Filters) -> Image.Image:
    """The same of filters that were looked at."""
    kernels, maps = found.kernels, found.maps
    drawn = {drawing.unit.index: drawing for drawing in found.drawings}
    best = found.strongest
    limits = magnitude(kernels), magnitude(maps)
    paper = titled(
        f"{found.weights.layer} · {found.weights.kind}",
        f"{plural(len(kernels), 'channel')} in rows of three: weights, activation on the picture "
        "here, and a picture that excites the channel, with its activation.",
    )
    paper.top += 0.1
    gallery(paper, [captioned(found.picture, "the picture")])
    colours = 3 if found.weights.pictures is not None and kernels.shape[1] == 3 else 1
    ruler(paper, limits[0], "is a weight, in one range for all channels", colours)
    ruler(paper, limits[1], "is an activation, in one range for all channels")
    for band in rows(range(len(kernels)), COLUMNS):
        paper.heading(
            f"channels {band[0]} to {band[-1]}" if len(band) > 1 else f"channel {band[0]}"
        )
        gallery(paper, [_weights(i, kernels[i], limits[0], colours) for i in band])
        gallery(
            paper,
            [
                mapped(maps[i], f"activation up to {number(float(maps[i].max()))}", limits[1])
                for i in band
            ],
        )
        gallery(paper, [_liked(drawn.get(i), best[i] if best else None) for i in band])
    return paper.image()


def _weights(
    channel: int, kernels: Float[Tensor, "n h w"], limit: float, colours: int
) -> Captioned:
    """A kernel over the picture as one picture, any others side by side."""
    words = f"{channel}: weights {_range(kernels)}"
    if colours == 3 or len(kernels) == 1:
        return mapped(kernels, words, limit)
    return on_paper(mosaic([signed_to_rgba(one, limit) for one in kernels.numpy()])), words


def _range(values: Float[Tensor, "*shape"]) -> str:
    return f"{number(float(values.min()))} to {number(float(values.max()))}"


def _liked(drawing: Drawing | None, best: StrongestPatch | None) -> Captioned:
    """A drawing, or the patch known to be the strongest where the drawing stays below it."""
    if best is not None and (drawing is None or drawing.activation <= best.activation):
        words = f"the strongest patch there is: {number(best.activation)}"
        return captioned(best.picture, words)
    if drawing is None:
        return None, "not drawn"
    if drawing.silent:
        return None, "nothing wakes it"
    return captioned(drawing.picture, f"drawn to excite it: {number(drawing.activation)}")
