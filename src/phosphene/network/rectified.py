"""What units answer before they are rectified: found by their values, whatever modules are called.

A rectified unit says nothing below zero. The value that it is the rectified part of is another
unit, of a layer inside or before its own: max(z, 0) is the unit's value, bit by bit.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from phosphene.network.discovery.layers import Layer
from phosphene.units import Unit

Recorded = Callable[[Collection[str]], Mapping[str, Tensor]]
"""The values of layers, on pictures of a trial."""

_STEPS = 4  # module, joint, rectifier, norm: so far from a layer its own rectifiers are sought


def before_rectifier(
    layer: Layer,
    layers: Mapping[str, Layer],
    feeds: Mapping[str, Sequence[str]],
    recorded: Recorded,
) -> dict[int, Unit] | None:
    """For each unit of `layer` the one that it rectifies, where that is found.

    None where the layer is not rectified: it has weights of its own, or values below zero.
    """
    if layer.weights is not None:
        return None
    candidates = [
        layers[name] for name in _upstream(layer.name, layers, feeds) if _alike(layers[name], layer)
    ]
    values = recorded([layer.name, *(candidate.name for candidate in candidates)])
    own = _units_first(values[layer.name])
    if own.min() < 0:
        return None
    known: dict[bytes, Unit] = {}
    for candidate in candidates:
        value = _units_first(values[candidate.name])
        if (value < 0).any():
            for index, row in enumerate(rectify(value, own)):
                if row.any():
                    known.setdefault(_bytes(row), Unit(candidate.name, index))
    found = {i: known[_bytes(row)] for i, row in enumerate(own) if _bytes(row) in known}
    silent = [i for i, row in enumerate(own) if not row.any()]
    beside = {i: _beside(i, found, values) for i in silent}
    return found | {i: unit for i, unit in beside.items() if unit is not None}


def rectify(value: Tensor, like: Tensor) -> Tensor:
    """max(value, 0), or min(max(value, 0), 6) where what it is to be like ends there."""
    return value.clamp(0, 6 if float(like.max()) == 6 else None)


def _beside(index: int, found: Mapping[int, Unit], values: Mapping[str, Tensor]) -> Unit | None:
    """What a silent unit rectifies: what its nearest neighbour does, as many units further."""
    for near in sorted(found, key=lambda other: abs(other - index)):
        layer, inside = found[near].layer, found[near].index + index - near
        there = _units_first(values[layer])
        if 0 <= inside < len(there) and not (there[inside] > 0).any():
            return Unit(layer, inside)
    return None


def _upstream(
    name: str, layers: Mapping[str, Layer], feeds: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """The layers that feed the one called `name`, over a few steps, up to those with weights."""
    waiting, met = deque([(name, 0)]), {name}
    while waiting:
        current, steps = waiting.popleft()
        if steps == _STEPS or layers[current].weights is not None:
            continue
        for feeder in feeds[current]:
            if feeder not in met:
                met.add(feeder)
                waiting.append((feeder, steps + 1))
                yield feeder


def _alike(one: Layer, other: Layer) -> bool:
    """Whether two layers have the same places."""
    return _places(one) == _places(other)


def _places(layer: Layer) -> tuple[int, ...]:
    return layer.shape[:1] if len(layer.shape) == 2 else layer.shape[1:]


def _units_first(values: Tensor) -> Float[Tensor, "units n"]:
    """A row for each unit, without the sign of zero."""
    units = values.movedim(2 if values.ndim == 3 else 1, 0)
    return units.flatten(1).cpu() + 0.0


def _bytes(row: Tensor) -> bytes:
    return row.contiguous().numpy().tobytes()
