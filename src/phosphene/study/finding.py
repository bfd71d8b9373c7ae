"""Where an atlas finds what it was built from, wherever the two have been moved to."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from phosphene.data.remote import is_pattern, is_url
from phosphene.data.spec import is_data
from phosphene.errors import SpecError
from phosphene.zoo.specs import is_file_spec

FROM = "from"
"""In the document `source`: the folder the build was started in, as seen from the atlas."""


def seen_from(atlas: Path) -> str:
    """The current folder as seen from that of `atlas`: `.` where it lies here."""
    return os.path.relpath(Path.cwd(), atlas.resolve().parent)


def places(recorded: str, atlas: Path, source: Mapping[str, str]) -> list[Path]:
    """Where a file or folder that a build was given may be now, the likeliest first."""
    path = Path(recorded)
    beside = [atlas.parent / path.name]
    if path.is_absolute():
        return [*beside, path]
    started = [atlas.parent / source[FROM] / path] if FROM in source else []
    return [*beside, *started, path]


def found_data(data: str, atlas: Path | None, source: Mapping[str, str]) -> str:
    """The spec of data whose folder or files are sought beside the atlas, then as was recorded.

    Of files with a pattern it is the folder they lie in that may have been moved along.
    """
    match = re.fullmatch(r"(?P<kind>mnist:)?(?P<path>.+?)(?P<split>:train|:test)?", data)
    if atlas is None or match is None or is_url(match["path"]):
        return data
    folder, name = os.path.split(match["path"])
    if folder and is_pattern(name) and not is_pattern(folder):
        for place in places(folder, atlas, source):
            if place.is_dir():
                return f"{match['kind'] or ''}{place}/{name}"
        return data
    for place in places(match["path"], atlas, source):
        if place.is_dir() or (place.is_file() and is_data(str(place))):
            return f"{match['kind'] or ''}{place}{match['split'] or ''}"
    return data


def found_model(model: str, atlas: Path | None, source: Mapping[str, str]) -> str:
    """The spec of a network whose file is sought beside the atlas, then as it was recorded.

    Raises:
        SpecError: it is at none of these places; with `--model` as the remedy.
    """
    match = is_file_spec(model)
    if atlas is None or (match is None and not Path(model).suffix):
        return model
    sought = match["path"] if match else model
    tail = f":{match['factory']}" if match else ""
    if match is None and ":" in model:
        return model  # a library's network, or a package's
    for place in places(sought, atlas, source):
        if place.is_file():
            return f"{place}{tail}"
    raise SpecError(
        f"{atlas} was built from {model}, which is neither beside it nor where it was; "
        f"say where it is: --model path/to/{Path(sought).name}{tail}"
    )
