"""What a network's weights look like: as pictures, and beside what they see and what they like."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from numpy import ndarray
from PIL import Image
from torch import Tensor

from phosphene.errors import NetworkError, nearest
from phosphene.figures.ink.layout import (
    COLUMNS,
    SIDE,
    Captioned,
    gallery,
    magnitude,
    rows,
    ruler,
    titled,
)
from phosphene.figures.ink.palette import on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import mosaic
from phosphene.maximize import Drawing, StrongestPatch, strongest_patches
from phosphene.network import Network
from phosphene.words import class_name, number, plural


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
    weights = _pictures(network, layer)
    if weights is None:
        there = [found for found in network.layers if _pictures(network, found) is not None]
        raise NetworkError(
            f"the weights of layer {layer!r} of {network.name} are no pictures: they do not "
            f"look at its input of {network.input} itself; {nearest(layer, there)}"
        )
    site = network.layer(layer)
    outputs = network.classifies and site.name == network.logits.name
    shown = list(weights)
    limit = magnitude(shown) if limit is None else limit
    paper = titled(f"{site.name} · {site.kind}", f"The weights of {plural(site.units, 'unit')}.")
    paper.top += 0.1
    ruler(paper, limit, "is a weight, in one range for all units", weights.shape[1])
    items = [
        (
            on_paper(signed_to_rgba(picture, limit)),
            f"{f'class {class_name(network.classes, i)}' if outputs else f'unit {i}'}: "
            f"{number(float(picture.min()))} to {number(float(picture.max()))}",
        )
        for i, picture in enumerate(shown)
    ]
    gallery(paper, items, 1.4 if len(items) <= 20 else SIDE)
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
    site = network.layer(layer)
    weights = _kernels(network, layer)
    if weights is None:
        there = [found for found in network.layers if _kernels(network, found) is not None]
        raise NetworkError(
            f"layer {layer!r} of {network.name} is no convolution; {nearest(layer, there)}"
        )
    with torch.no_grad():
        maps = network.record(picture[None], [layer])[layer][0].float().cpu().numpy()
    drawn = {d.unit.index: d for d in drawings if network.layer(d.unit.layer).name == site.name}
    best = strongest_patches(network, layer)
    limits = magnitude(list(weights)), magnitude(list(maps))
    paper = titled(
        f"{site.name} · {site.kind}",
        f"{plural(site.units, 'channel')} in rows of three: weights, activation on the picture "
        "here, and a picture that excites the channel, with its activation.",
    )
    paper.top += 0.1
    gallery(paper, [(picture_to_image(picture.cpu().numpy()), "the picture")])
    colours = 3 if _pictures(network, layer) is not None and weights.shape[1] == 3 else 1
    ruler(paper, limits[0], "is a weight, in one range for all channels", colours)
    ruler(paper, limits[1], "is an activation, in one range for all channels")
    for band in rows(range(site.units), COLUMNS):
        paper.heading(
            f"channels {band[0]} to {band[-1]}" if len(band) > 1 else f"channel {band[0]}"
        )
        gallery(paper, [_weights(i, weights[i], limits[0], colours) for i in band])
        gallery(paper, [_activation(maps[i], limits[1]) for i in band])
        gallery(paper, [_liked(drawn.get(i), best[i] if best else None) for i in band])
    return paper.image()


def _weights(
    channel: int, kernels: Float[ndarray, "n h w"], limit: float, colours: int
) -> Captioned:
    """A kernel over the picture as one picture, any others side by side."""
    if colours == 3 or len(kernels) == 1:
        image = signed_to_rgba(kernels, limit)
    else:
        image = mosaic([signed_to_rgba(kernel, limit) for kernel in kernels])
    low, high = number(float(kernels.min())), number(float(kernels.max()))
    return on_paper(image), f"{channel}: weights {low} to {high}"


def _activation(values: Float[ndarray, "h w"], limit: float) -> Captioned:
    words = f"activation up to {number(float(values.max()))}"
    return on_paper(signed_to_rgba(values, limit)), words


def _liked(drawing: Drawing | None, best: StrongestPatch | None) -> Captioned:
    """A drawing, or the patch known to be the strongest where the drawing stays below it."""
    if best is not None and (drawing is None or drawing.activation <= best.activation):
        words = f"the strongest patch there is: {number(best.activation)}"
        return picture_to_image(best.picture.numpy()), words
    if drawing is None:
        return None, "not drawn"
    if drawing.silent:
        return None, "nothing wakes it"
    words = f"drawn to excite it: {number(drawing.activation)}"
    return picture_to_image(drawing.picture.numpy()), words


def _kernels(network: Network, layer: str) -> Float[ndarray, "units n h w"] | None:
    """The kernels of a convolution's channels; None for any other layer."""
    weights = network.weights(layer)
    if weights is None or weights.ndim != 4 or not network.layer(layer).spatial:
        return None
    return weights.float().cpu().numpy()


def _pictures(network: Network, layer: str) -> Float[ndarray, "units c h w"] | None:
    """The weights of units that look at the picture itself, as pictures; None for others."""
    weights, shape = network.weights(layer), network.input.shape
    # Numbers that fit do not suffice: maps further up may have as many values as the picture.
    first = next((found.weights for found in network.layers.values() if found.weights), None)
    if weights is None or network.layer(layer).weights != first:
        return None
    if weights.ndim == 2 and weights.shape[1] == prod(shape):
        weights = weights.view(-1, *shape)
    if weights.ndim != 4 or weights.shape[1] != shape[0] or max(weights.shape[2:]) == 1:
        return None
    return weights.float().cpu().numpy()
