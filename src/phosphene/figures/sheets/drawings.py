"""What was drawn for units: one drawing, or several side by side."""

from collections.abc import Callable, Sequence

from PIL import Image

from phosphene.errors import InputError
from phosphene.figures.ink.compositions import by_number, captioned, composed
from phosphene.figures.ink.layout import Captioned
from phosphene.maximize import Drawing
from phosphene.network import Network
from phosphene.results import sheet
from phosphene.units import Unit
from phosphene.words import number, plural


def drawings_sheet(network: Network, drawings: Sequence[Drawing], words: str = "") -> Image.Image:
    """What was drawn for some units, each with what the unit answers to it.

    Silent units are told and not shown: there is no picture that would say something true.
    """
    layers = {network.layer(drawing.unit.layer).name for drawing in drawings}
    return _sheet(drawings, network.called, ", ".join(sorted(layers)), words)


@sheet.register
def _(drawings: list) -> Image.Image:  # type: ignore[type-arg]
    """Several drawings, as `drawings_sheet` shows them; that one calls classes by their names.

    Raises:
        InputError: a list of something else.
    """
    if not drawings or not all(isinstance(drawing, Drawing) for drawing in drawings):
        raise InputError(
            f"a list of {type(drawings[0]).__name__ if drawings else 'nothing'} has no figure; "
            "give what `draw` returns, or one result"
        )
    return _sheet(drawings, str, ", ".join(sorted({drawing.unit.layer for drawing in drawings})))


@sheet.register
def _(drawing: Drawing) -> Image.Image:
    """One drawing by itself; what there is, also of a silent unit."""
    return composed(str(drawing.unit), "", [captioned(drawing.picture, drawing.summary)])


def _sheet(
    drawings: Sequence[Drawing], called: Callable[[Unit], str], title: str, words: str = ""
) -> Image.Image:
    silent = sum(drawing.silent for drawing in drawings)
    told = f"{plural(len(drawings), 'drawing')}, {silent or 'none'} silent. {words}".strip()
    items = [_drawn(drawing, called(drawing.unit)) for drawing in drawings]
    return composed(title, told, items, most=by_number(len(items)))


def _drawn(drawing: Drawing, name: str) -> Captioned:
    if drawing.silent:
        return None, f"{name}: nothing wakes it"
    return captioned(drawing.picture, f"{name}: {number(drawing.activation)}")
