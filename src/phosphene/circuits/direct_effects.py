"""Direct effects: what a unit does to a target by what the target reads of it, and no other way."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace as changed

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.circuits.edge import Edges
from phosphene.circuits.measuring import measure
from phosphene.errors import InputError
from phosphene.network import Network, masks_of, replace
from phosphene.network.edges import made_of
from phosphene.network.layouts import along_units

Held = Mapping[str, Sequence[int] | None]
"""Units of later layers that stay as they were; of a layer with None, all."""

Edit = Callable[[Tensor], Tensor]


def direct(edges: Edges, hold: Held | Sequence[str] | None = None, k: int | None = 32) -> Edges:
    """The same edges with the direct effect of each measured unit, beside the total ones.

    A unit is removed while later layers stay what they were for the whole picture, so that only
    what leads around them tells of it: path patching. Where no connection leads around them it is
    zero, and where nothing is held it is the total effect.

    Args:
        edges: what `edges` or `measure` found; unless measured, the k strongest are.
        hold: layers that stay as they were, or units of them; otherwise `between`: every layer
            with weights of its own on the way, but the target's.
        k: see `measure`.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        InputError: what is held is the target's own layer, or the source.

    *Source:* Wang et al. 2022, arXiv 2211.00593; Goldowsky-Dill et al. 2023, arXiv 2304.05969.
    """
    if edges.measured is None:
        edges = measure(edges, k)
    assert edges.measured is not None, "just measured"
    network, term = edges.network, edges.term
    held = _held(edges, hold)
    found = []
    for row, units in enumerate(edges.measured.tolist()):
        picture = edges.pictures[row : row + 1]
        shown = picture.expand(len(units), -1, -1, -1)
        with ExitStack() as stack, torch.no_grad():
            clean = network.record(picture, held) if held else {}
            for name, some in held.items():
                stack.enter_context(
                    replace(network.module, network.layer(name), _as_it_was(clean[name], some))
                )
            source = network.layer(edges.source)
            stack.enter_context(replace(network.module, source, _without(edges, units)))
            recording = network.record(shown, term.layers)
            found.append(edges.values[row] - term.take([row] * len(units))(recording))
    return changed(edges, direct=torch.stack(found))


def between(network: Network, source: str, target: frozenset[str]) -> tuple[str, ...]:
    """The layers with weights of their own on the ways from `source` to a target's layers."""
    feeds, after = network.feeds, {source}
    for name in network.layers:  # in the order in which they finish
        if any(fed in after for fed in feeds[name]):
            after.add(name)
    ways = (after & made_of(feeds, target)) - {source} - target
    made = {network.layers[name].weights for name in target}
    return tuple(
        name
        for name, layer in network.layers.items()
        if name in ways and layer.weights is not None and layer.weights not in made
    )


def _held(edges: Edges, hold: Held | Sequence[str] | None) -> dict[str, Tensor | None]:
    """What is held, as masks of units."""
    network, target = edges.network, edges.term.layers
    if hold is None:
        hold = between(network, edges.source, target)
    if isinstance(hold, str):
        hold = (hold,)
    named = hold if isinstance(hold, Mapping) else dict.fromkeys(hold)
    found: dict[str, Tensor | None] = {}
    for name, units in named.items():
        layer = network.layer(name)
        if layer.name in {edges.source, *target}:
            raise InputError(
                f"{layer.name!r} was to be held as it was, and is what the edges lead from or to; "
                "hold layers between the two"
            )
        found[layer.name] = None if units is None else masks_of(layer, [tuple(units)])[0]
    return found


def _as_it_was(clean: Tensor, units: Tensor | None) -> Edit:
    """Put back what a layer answered to the whole picture, in some of its units or in all."""

    def edit(values: Tensor) -> Tensor:
        before = clean.expand_as(values)
        if units is None:
            return before.clone()
        return torch.where(along_units(units[None], values), before, values)

    return edit


def _without(edges: Edges, units: Sequence[int]) -> Edit:
    """Remove another unit in each row."""
    given = edges.baseline.values
    masks = F.one_hot(torch.tensor(units), len(given)).bool()

    def edit(values: Tensor) -> Tensor:
        levels = along_units(given.to(values)[None], values)
        return torch.where(along_units(masks, values), levels, values)

    return edit
