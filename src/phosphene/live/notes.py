"""What a server notes of its jobs in the person's state folder, a file for each atlas.

What is unfinished is taken up by the next server, what ended lately is listed by it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from phosphene.folders import state_folder

MOST_LEFT = 101
"""Unfinished jobs that are read: one that ran, and all that may wait."""

MOST_ENDED = 200
"""Jobs that are remembered after their end."""

Note = dict[str, Any]

_TEXTS = ("kind", "id", "title", "state", "error")
_ENDS = ("finished", "failed", "cancelled")


def noted(atlas: Path) -> tuple[list[Note], list[Note]]:
    """The notes of jobs that are left, and of those that ended; whatever is no note is dropped."""
    try:
        found = json.loads(_file(atlas).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return [], []
    if not isinstance(found, dict):
        return [], []
    left, ended = (found.get(name) for name in ("left", "ended"))
    return (
        [_left(each) for each in _list(left)[:MOST_LEFT] if _is_asked(each)],
        [each for each in _list(ended)[-MOST_ENDED:] if _is_asked(each) and _is_end(each)],
    )


def note(atlas: Path, left: Iterable[Note], ended: Iterable[Note]) -> None:
    """Write it down; that this fails is no harm but to the next server."""
    path = _file(atlas)
    told = {"left": list(left), "ended": list(ended)[-MOST_ENDED:]}
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(told), encoding="utf-8")
        draft.replace(path)


def _file(atlas: Path) -> Path:
    named = hashlib.blake2b(str(atlas.resolve()).encode(), digest_size=16).hexdigest()
    return state_folder() / "jobs" / f"{named}.json"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_asked(each: object) -> bool:
    return (
        isinstance(each, Mapping)
        and isinstance(each.get("kind"), str)
        and isinstance(each.get("options"), dict)
    )


def _left(each: Note) -> Note:
    begun = each.get("begun")
    return each | {"begun": begun if isinstance(begun, int) else 0}


def _is_end(each: Note) -> bool:
    page = each.get("page")
    paged = page is None or (
        isinstance(page, list)
        and len(page) == 2
        and page[0] in ("probe", "layer")
        and isinstance(page[1], str)
    )
    return (
        paged and all(isinstance(each.get(key), str) for key in _TEXTS) and each["state"] in _ENDS
    )
