"""What a network may be computed in while pictures are drawn for it, by name."""

from typing import Literal, get_args

from phosphene.errors import SettingError, nearest

Precision = Literal["float32", "bfloat16"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def precision_of(name: str) -> Precision:
    """The precision of that name; raises `SettingError` where there is none.

    >>> precision_of("bfloat16")
    'bfloat16'
    """
    for precision in PRECISIONS:
        if precision == name:
            return precision
    raise SettingError(
        f"no precision {name!r} to draw in; {nearest(name, PRECISIONS, listing=True)}. Leave it "
        f"out for {PRECISIONS[0]}"
    )
