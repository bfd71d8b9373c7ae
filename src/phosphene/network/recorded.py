"""What was seen during one forward pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import UnknownLayerError, nearest
from phosphene.tasks import Task


@dataclass(frozen=True)
class Recording(Mapping[str, Tensor]):
    """What was seen during one forward pass: the pictures that went in, the values of layers.

    Values are `b c h w` for maps, also where the network has its channels last or patches in a
    row, `b d` for dense layers and single tokens, `b t d` for sequences without places. `task` is
    what the class scores among them mean.
    """

    pictures: Float[Tensor, "b c h w"]
    layers: Mapping[str, Tensor]
    task: Task = "softmax"

    def __getitem__(self, layer: str) -> Tensor:
        try:
            return self.layers[layer]
        except KeyError:
            raise UnknownLayerError(
                f"layer {layer!r} was not recorded; {nearest(layer, self.layers)}. "
                "Ask for it in network.record(pictures, layers)"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)
