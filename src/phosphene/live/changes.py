"""Units that are changed while a picture is read: what is asked, as the network takes it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pydantic import BaseModel, Field

from phosphene.circuits import Baseline
from phosphene.network import Change, How, Network, changed

MOST = 64
"""Units that are changed at once."""


class Altered(BaseModel):
    """What becomes of a unit, at all its places."""

    unit: str = Field(max_length=300, description="conv2:17, or a class by its name")
    how: How = Field(
        description="remove: it has its baseline. keep: it stays, and all of its layer that no "
        "change names are removed. raise: it answers `by` times what it would"
    )
    by: float = Field(2, ge=0, le=100, description="for raise; 1 changes nothing")


Absent = Callable[[str], Baseline]
"""What each unit of a layer has where it is removed, by the layer's name."""


@contextmanager
def with_changes(
    network: Network, altered: Sequence[Altered], absent: Absent
) -> Iterator[tuple[Network, str]]:
    """The network while its units are changed, and what those have that are removed, in words.

    Raises:
        UnknownLayerError, UnknownUnitError, InputError: as `changed`.
    """
    changes = [Change(network.unit(each.unit), each.how, each.by) for each in altered]
    layers = dict.fromkeys(each.unit.layer for each in changes if each.how != "raise")
    levels = {layer: absent(layer) for layer in layers}
    told = ", ".join(dict.fromkeys(level.name for level in levels.values()))
    with changed(network, changes, lambda layer: levels[layer].values) as there:
        yield there, told
