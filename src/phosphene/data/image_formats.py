"""Which image files can be read: what the installed Pillow opens by itself."""

from functools import cache

from PIL import Image, ImageFile

_NOT_BY_ITSELF = {"EPS", "MPEG"}
"""Formats that Pillow hands to another program, or only tells the size of."""


@cache
def formats() -> tuple[str, ...]:
    """Pillow's names of the formats that it reads without another program.

    >>> {"JPEG", "PNG", "WEBP"} <= set(formats()), "EPS" in formats()
    (True, False)
    """
    Image.init()
    return tuple(
        name
        for name, (factory, _) in sorted(Image.OPEN.items())
        if name not in _NOT_BY_ITSELF and not _is_stub(factory)
    )


@cache
def extensions() -> frozenset[str]:
    """How files of these formats end, in lower case, as Pillow itself has it.

    >>> {".jpg", ".jfif", ".png", ".tiff"} <= extensions(), ".pdf" in extensions()
    (True, False)
    """
    known = set(formats())
    return frozenset(
        ending for ending, name in Image.registered_extensions().items() if name in known
    )


def _is_stub(factory: object) -> bool:
    """Whether Pillow only knows a format by name, for others to read."""
    return isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
