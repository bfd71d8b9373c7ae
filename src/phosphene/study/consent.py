"""Whether code may run, or data be fetched, that a file names.

An atlas says how its network and its data are made, which is code on this machine: a function of
any file or package. Whoever wrote the atlas chose it, so it is run only when the person here says
so, once, or has run the very same function by their own word before. So is what it would have
fetched from another machine, which this one may reach and whoever wrote the atlas may not.
"""

import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from phosphene.data.spec import reaches_out, runs_code
from phosphene.errors import ConsentError
from phosphene.folders import state_folder
from phosphene.network.loading.catalogue import LIBRARIES
from phosphene.words import printable

OURS = ("phosphene.zoo", "phosphene.data")
"""Where what is built in comes from."""

MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Code:
    """A function that a text such as `model.py:make` stands for, or data that would be `fetched`.

    `file` is where it is defined, None where that cannot be told without running something.
    """

    spec: str
    file: Path | None
    fetched: bool = False

    @property
    def what(self) -> str:
        """What it is, and what is done with it."""
        return "data to fetch" if self.fetched else "code to run"

    @property
    def key(self) -> str | None:
        """What it is remembered by: its file, what that holds now, and its name; its address."""
        if self.fetched:
            return hashlib.blake2b(self.spec.encode(), digest_size=16).hexdigest()
        if self.file is None:
            return None
        try:
            content = hashlib.blake2b(self.file.read_bytes(), digest_size=16).hexdigest()
        except OSError:
            return None
        name = self.spec.rpartition(":")[2]
        told = json.dumps([str(self.file), name, content])
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def code(spec: str) -> Code | None:
    """The code that a text would run; None for what is built in, a library's, or no code at all."""
    if ":" not in spec:  # a folder, a file of weights, an article's network
        return None
    if reaches_out(spec):
        return Code(spec, None, fetched=True)
    place, _, name = spec.rpartition(":")
    if spec.partition(":")[0] in LIBRARIES or not runs_code(spec) or _built_in(place, name):
        return None
    return Code(spec, Path(place).resolve() if place.endswith(".py") else _file_of(place))


def permit(
    spec: str,
    atlas: Path | None,
    trust: bool | None,
    confirm: Callable[[str], bool] | None = None,
) -> None:
    """Return if what `spec` names may run, asking by `confirm` where there is someone to ask.

    `trust` is None for a command that has no `--trust`.

    Raises:
        ConsentError: it may not; says what would have run, and how to let it.
    """
    named = code(spec)
    if named is None or (named.key is not None and named.key in _remembered()):
        return
    told = named.file is None or str(named.file) in spec
    where = "" if told else f" ({printable(named.file)})"
    what = f"{printable(atlas)} names {named.what}: {printable(spec)}{where}"
    done = "fetched" if named.fetched else "run"
    if not trust:
        if confirm is None:
            raise ConsentError(
                f"{what}. It was not {done}, since anybody can write that into a file. "
                + ("" if trust is None else "If you trust whoever made it, say --trust, once. ")
                + "Or name what it is for yourself, with --model or --data"
            )
        if not confirm(
            f"{what}\nAnybody can write that into a file. {'Fetch' if named.fetched else 'Run'} it?"
        ):
            raise ConsentError(f"{printable(spec)} was not {done}, as you said")
    remember(spec)


def remember(spec: str) -> None:
    """Note that the person here had `spec` run; that this fails is no harm, they are asked again.

    The note is kept in the person's own folder and never in an atlas, where it would travel along.
    """
    named = code(spec)
    key = None if named is None else named.key
    if named is None or key is None:
        return
    known = _remembered()
    known.pop(key, None)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known[key] = {"spec": printable(spec), "file": printable(named.file), "since": now}
    kept = dict(list(known.items())[-MOST_REMEMBERED:])
    with suppress(OSError):
        path = _notes()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        draft.replace(path)


def _remembered() -> dict[str, dict[str, str]]:
    try:
        found = json.loads(_notes().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    notes = found.items() if isinstance(found, dict) else ()
    return {key: note for key, note in notes if isinstance(note, dict)}


def _notes() -> Path:
    return state_folder() / "trusted.json"


def _built_in(place: str, name: str) -> bool:
    """Whether a function is one of ours that makes a network or data, and nothing else of ours."""
    if not any(place == ours or place.startswith(f"{ours}.") for ours in OURS):
        return False
    try:
        found = getattr(importlib.import_module(place), name, None)
    except ImportError:
        return False
    home = getattr(found, "__module__", None) or ""
    return any(home == ours or home.startswith(f"{ours}.") for ours in OURS)


def _file_of(package: str) -> Path | None:
    """The file of a module, looked for without importing anything, which would run it."""
    top, *inner = package.split(".")
    try:
        found = importlib.util.find_spec(top) if top.isidentifier() else None
    except (ImportError, ValueError):
        return None
    if found is None:
        return None
    if not inner:
        origin = Path(found.origin) if found.has_location and found.origin else None
        return origin.resolve() if origin is not None else None
    for folder in found.submodule_search_locations or ():
        place = Path(folder, *inner)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file.resolve()
    return None
