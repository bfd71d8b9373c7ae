"""How a network is made, as a value: what another process needs to make the same one."""

from dataclasses import dataclass
from typing import ClassVar

from phosphene.network.inputs import Input
from phosphene.network.lenses import Lens
from phosphene.tasks import Task
from phosphene.values import Value


@dataclass(frozen=True)
class Spec(Value):
    """What `load_network` was told, and takes again: `load_network(Spec("model.py:make"))`.

    `weights` is a path or the library's name for its weights, `lenses` the layers derived since.
    """

    called: ClassVar[str] = "description of how a network is made"

    model: str
    weights: str | None = None
    input: Input | None = None
    labels: tuple[str, ...] = ()
    output: str | None = None
    task: Task | None = None
    lenses: tuple[Lens, ...] = ()
