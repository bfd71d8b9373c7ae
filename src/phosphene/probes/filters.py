"""How large are a layer's weights? The figures behind pictures of weights."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import NetworkError, nearest
from phosphene.network import Network
from phosphene.results import Result
from phosphene.words import number, plural


@dataclass(frozen=True, eq=False)
class Weights(Result):
    """The smallest and largest weight of each unit of a layer, and their Euclidean norm."""

    layer: str
    low: Float[Tensor, "units"]
    high: Float[Tensor, "units"]
    norm: Float[Tensor, "units"]

    @property
    def summary(self) -> str:
        """How far the weights reach, and which unit has the largest norm."""
        largest = int(self.norm.argmax())
        return (
            f"{self.layer}: weights of {plural(len(self.norm), 'unit')} from "
            f"{number(float(self.low.min()))} to {number(float(self.high.max()))}; "
            f"unit {largest} has the largest norm, {number(float(self.norm[largest]))}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "layer": self.layer,
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "norm": self.norm.tolist(),
        }


def weights(network: Network, layer: str) -> Weights:
    """Measure the weights of a layer's units.

    Raises:
        UnknownLayerError: with the nearest names.
        NetworkError: the layer has no weights; with the nearest that have.
    """
    found = network.weights(layer)
    if found is None:
        there = [name for name in network.layers if network.weights(name) is not None]
        raise NetworkError(f"layer {layer!r} has no weights; {nearest(layer, there)}")
    flat = found.float().cpu().flatten(1)
    return Weights(network.layer(layer).name, flat.amin(1), flat.amax(1), flat.norm(dim=1))
