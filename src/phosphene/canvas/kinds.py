"""The canvases by name."""

from collections.abc import Mapping
from typing import Any

from phosphene.canvas.bounded import Bounded
from phosphene.canvas.chosen import Chosen
from phosphene.canvas.decoded import Decoded
from phosphene.canvas.description import Description
from phosphene.canvas.fourier import Fourier
from phosphene.canvas.maco import Maco
from phosphene.canvas.pixels import Pixels
from phosphene.errors import SpecError, nearest, reading

CANVASES: Mapping[str, type[Description]] = {
    c.kind: c for c in (Chosen, Bounded, Fourier, Maco, Pixels)
}
"""Every description that stands for itself, by the name that JSON and the command line use."""


def canvas_from_json(value: Any) -> Description:
    """The inverse of `Description.to_json`; raises `SpecError` for what it could not have made.

    >>> canvas_from_json({"canvas": "maco", "spread": 1.0})
    Maco(start='noise', spread=1.0, learning_rate=0.2)
    """
    with reading(value, "canvas"):
        settings = dict(value)
    kind = str(settings.pop("canvas", None))
    if kind == Decoded.kind:
        raise SpecError("a decoded canvas needs its decoder; read it with Decoded.from_json")
    if kind not in CANVASES:
        raise SpecError(f"no canvas is called {kind!r}; {nearest(kind, CANVASES)}")
    with reading(value, "canvas"):
        return CANVASES[kind](**settings)
