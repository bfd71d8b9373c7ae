"""Where a person's programs keep what they note, by the XDG standard."""

import os
from pathlib import Path


def state_folder() -> Path:
    """`phosphene` where a person's programs keep their state: what is noted and not made again."""
    return _folder("XDG_STATE_HOME", Path(".local", "state"))


def cache_folder() -> Path:
    """`phosphene` where a person's programs keep what they can make again: it may be deleted."""
    return _folder("XDG_CACHE_HOME", Path(".cache"))


def _folder(variable: str, usual: Path) -> Path:
    named = os.environ.get(variable, "")
    if os.name == "nt" and not named:
        named = os.environ.get("LOCALAPPDATA", "")
    # The standard has relative paths ignored; a home that is not known is no place to write to.
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    base = Path(named) if os.path.isabs(named) else home / usual  # noqa: PTH117
    return base / "phosphene"
