"""Which column of a table holds the images and which their labels."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from phosphene.errors import DataError
from phosphene.words import printable

IMAGES = ("image", "img", "images", "jpg", "jpeg", "png", "webp", "picture", "pixels", "bytes")
"""What a column of images is called where nothing says which it is, the likeliest first."""

LABELS = ("label", "labels", "cls", "class", "target", "fine_label", "category")
"""The same for labels."""


class Columns(NamedTuple):
    """The columns `image` and `label` (None where there is none), and the classes' names.

    `within` says that an image is a struct of its bytes and its path, as 🤗 datasets have it.
    """

    image: str
    within: bool
    label: str | None
    classes: tuple[str, ...]


def columns_of(schema: Any, features: Mapping[str, Any], where: str) -> Columns:
    """The columns of a table of pyarrow's `schema`, of which `features` tell what they mean.

    Raises:
        DataError: no column holds images; with the columns there are.
    """
    import pyarrow.types as kinds  # noqa: PLC0415 - an extra

    types = {field.name: field.type for field in schema}
    binary = [n for n, t in types.items() if kinds.is_binary(t) or kinds.is_large_binary(t)]
    structs = [
        n for n, t in types.items() if kinds.is_struct(t) and t.get_field_index("bytes") >= 0
    ]
    told = [n for n in structs + binary if _kind(features.get(n)) == "Image"]
    images = told or _by_name(structs + binary, IMAGES)
    if not images:
        known = ", ".join(f"{printable(name)} ({kind})" for name, kind in types.items())
        raise DataError(
            f"{where} has no column of images, only {known}; expected one of bytes, or of a struct "
            "with bytes as 🤗 datasets write it"
        )
    fit = [n for n, t in types.items() if kinds.is_integer(t) or kinds.is_string(t)]
    fit += [n for n, t in types.items() if kinds.is_large_string(t)]
    named = [name for name in fit if _kind(features.get(name)) == "ClassLabel"]
    labels = _by_name(named, LABELS) or [name for name in LABELS if name in fit]
    label = labels[0] if labels else None
    about = features.get(label or "")
    names = about.get("names", ()) if isinstance(about, Mapping) else ()
    classes = tuple(printable(name) for name in names or ())
    return Columns(images[0], images[0] in structs, label, classes)


def features_of(schema: Any) -> Mapping[str, Any]:
    """What 🤗 datasets say of the columns in a schema's metadata; nothing where they did not."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        found = told["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _kind(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, Mapping) else ""


def _by_name(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `names` that are `known` first, in that order; then the others."""
    low = {name.lower(): name for name in reversed(names)}
    first = [low[name] for name in known if name in low]
    return first + [name for name in names if name not in first]
