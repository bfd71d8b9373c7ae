"""Plain pictures, and maps, with words under them."""

from collections.abc import Sequence

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.errors import InputError
from phosphene.figures.ink.compositions import by_number, captioned, composed, mapped
from phosphene.results import sheet
from phosphene.words import number


def pictures_sheet(
    pictures: Float[Tensor, "b c h w"],
    captions: Sequence[str],
    title: str,
    words: str = "",
    columns: int | None = None,
) -> Image.Image:
    """Pictures in [0, 1] in rows, each with its caption.

    In rows of up to five they are shown larger; so are up to ten pictures, unless `columns` says
    otherwise.

    Raises:
        InputError: not a caption for each picture.
    """
    if len(pictures) != len(captions):
        raise InputError(
            f"{len(captions)} captions were given for {len(pictures)} pictures; expected one each"
        )
    items = [captioned(picture, said) for picture, said in zip(pictures, captions, strict=True)]
    return composed(title, words, items, columns=columns, most=by_number(len(items)))


def maps_sheet(maps: Float[Tensor, "b c h w"], title: str = "Maps") -> Image.Image:
    """Signed maps, each in a range of its own, told below it."""
    items = [
        mapped(one, f"{i}: up to {number(float(one.abs().max()))}") for i, one in enumerate(maps)
    ]
    colour = maps.shape[1] == 3
    told = "Grey is 0, colours are the channels'" if colour else "Blue for more, red for less"
    words = f"{told}; each in a range of its own."
    return composed(title, words, items, most=by_number(len(items)))


@sheet.register
def _(shown: Tensor) -> Image.Image:
    """Maps or pictures, `b c h w` or one of them; what has values below 0 is taken for maps.

    Raises:
        InputError: another shape.
    """
    batch = shown[None] if shown.ndim == 3 else shown
    if batch.ndim != 4 or not len(batch):
        raise InputError(
            f"values of shape {tuple(shown.shape)} have no figure; give pictures or maps b c h w"
        )
    if bool((batch < 0).any()):
        return maps_sheet(batch)
    return pictures_sheet(batch, [str(i) for i in range(len(batch))], "Pictures")
