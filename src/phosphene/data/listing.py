"""The image files below a folder: looked for once, and only where something changed after that.

Of a large folder the listing is kept, with the time of change of each folder in it. A file that is
added, removed or renamed changes that of its folder, so that the next start sees it after a look at
the folders alone. A file that is written over in place does not: `SAMPLED` are tried, and people
are told.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from phosphene.data.cache import Arrays, keep, kept
from phosphene.data.dataset import digest
from phosphene.data.image_formats import extensions
from phosphene.data.strings import Strings

KEPT_FROM = 10_000
"""Files from which on a listing is kept; fewer are listed in no time."""

SAMPLED = 32
"""Files of a kept listing that are looked at nevertheless."""

_SETTLED = 2 * 10**9
"""Nanoseconds: what was changed that short ago may change again without its time telling."""


@dataclass(frozen=True)
class Listing:
    """Files as paths below the folder, in order, with sizes in bytes and times of change in ns.

    `folders` are all that were looked through, `others` counts the endings of files passed over.
    `since` says from when a kept listing is, and is empty for one made just now.
    """

    files: Strings
    sizes: Int[ndarray, "files"]
    times: Int[ndarray, "files"]
    folders: Strings
    changed: Int[ndarray, "folders"]
    others: Counter[str]
    since: str = ""

    @property
    def mark(self) -> str:
        """What changes when a file does; empty where one was changed only just now."""
        if int(self.times.max(initial=0)) >= time.time_ns() - _SETTLED:
            return ""
        told = self.files.content, self.files.ends, self.sizes, self.times
        return digest(*(column.tobytes() for column in told))

    @property
    def remark(self) -> str:
        """What people should know about a kept listing; empty for one made just now."""
        if not self.since:
            return ""
        return (
            f"The list of its {len(self.files):,} files is from {self.since}: files added, removed "
            f"or renamed since were looked for; of those written over in place only {SAMPLED} were."
        )


def listed(folder: Path) -> Listing:
    """The image files below `folder`, from what is kept where that still holds.

    Names starting with a dot are passed over, and links to folders are not followed deeper down.
    """
    about = f"folder {folder.resolve()}"
    found = _known(folder, kept(about, ""))
    if found is not None:
        return found
    begun = time.time_ns()
    made = _looked_through(folder)
    settled = not len(made.changed) or int(made.changed.max()) < begun - _SETTLED
    if len(made.files) >= KEPT_FROM and settled:
        keep(about, "", _arrays(made) | {"since": np.array([begun])})
    return made


def _looked_through(folder: Path) -> Listing:
    files, sizes, times = list[str](), list[int](), list[int]()
    folders, changed, others = list[str](), list[int](), Counter[str]()
    known = extensions()

    def look(inner: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
        place = os.path.join(folder, inner)  # noqa: PTH118 - a million of these
        with suppress(OSError):
            status = os.stat(place)  # noqa: PTH116
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            folders.append(inner)
            changed.append(status.st_mtime_ns)
            for entry in found:
                # Deeper down a folder of any name counts, as it always did.
                if not depth and entry.name.startswith("."):
                    continue
                name = f"{inner}/{entry.name}" if inner else entry.name
                if entry.is_dir(follow_symlinks=not depth):
                    yield from look(name, depth + 1)
                elif not entry.name.startswith(".") and entry.is_file():
                    yield name, entry

    for name, entry in look("", 0):
        ending = os.path.splitext(entry.name)[1].lower().removesuffix(".")  # noqa: PTH122
        if ending in known:
            status = entry.stat()
            files.append(name)
            sizes.append(status.st_size)
            times.append(status.st_mtime_ns)
        else:
            others[ending] += 1
    numbers = (np.array(column, np.int64) for column in (sizes, times, changed))
    of_sizes, of_times, of_changed = numbers
    names, places = Strings.of(files), Strings.of(folders)
    return Listing(names, of_sizes, of_times, places, of_changed, others)


def _known(folder: Path, arrays: Arrays | None) -> Listing | None:
    """The listing that is kept, if nothing that can be told has changed since."""
    if arrays is None:
        return None
    told = Strings.told(arrays, "endings")
    others = Counter(dict(zip(told, arrays["counts"].tolist(), strict=True)))
    since = datetime.fromtimestamp(int(arrays["since"][0]) / 1e9).isoformat(" ", "minutes")
    found = Listing(
        Strings.told(arrays, "files"),
        arrays["sizes"],
        arrays["times"],
        Strings.told(arrays, "folders"),
        arrays["changed"],
        others,
        since,
    )
    try:
        for inner, changed in zip(found.folders, found.changed.tolist(), strict=True):
            if (folder / inner).stat().st_mtime_ns != changed:
                return None
        for index in np.linspace(0, len(found.files) - 1, SAMPLED).astype(int).tolist():
            status = (folder / found.files[index]).stat()
            written = int(found.sizes[index]), int(found.times[index])
            if (status.st_size, status.st_mtime_ns) != written:
                return None
    except OSError:
        return None
    return found


def _arrays(listing: Listing) -> Arrays:
    return {
        **listing.files.arrays("files"),
        "sizes": listing.sizes,
        "times": listing.times,
        **listing.folders.arrays("folders"),
        "changed": listing.changed,
        **Strings.of(listing.others).arrays("endings"),
        "counts": np.array([*listing.others.values()], np.int64),
    }
