"""What was read of an atlas, kept for as long as its file stays as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from phosphene.atlas import Atlas
from phosphene.figures.views.atlas import AtlasView

Stamp = tuple[tuple[int, int], ...]


@dataclass(eq=False)
class _Held:
    stamp: Stamp
    view: AtlasView
    readers: int = 0


class Shelf:
    """The view of one atlas for many readers at once.

    Somebody may be adding to the atlas: who comes after that reads it anew, and the earlier view is
    closed when its last reader has gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._held: _Held | None = None

    @contextmanager
    def view(self) -> Iterator[AtlasView]:
        """The atlas as it is now.

        Raises:
            AtlasError: it cannot be opened, or has nothing to show yet.
        """
        with self._lock:
            held = self._current()
            held.readers += 1
        try:
            yield held.view
        finally:
            with self._lock:
                held.readers -= 1
                self._close_unless_used(held)

    def close(self) -> None:
        """Let go of what is held, once nobody reads it."""
        with self._lock:
            self._replace(None)

    def _current(self) -> _Held:
        stamp = _stamp(self.path)
        if self._held is None or self._held.stamp != stamp:
            atlas = Atlas.open(self.path)
            try:
                self._replace(_Held(stamp, AtlasView(atlas)))
            except BaseException:
                atlas.close()
                raise
        assert self._held is not None, "read just now"
        return self._held

    def _replace(self, new: _Held | None) -> None:
        old, self._held = self._held, new
        if old is not None:
            self._close_unless_used(old)

    def _close_unless_used(self, held: _Held) -> None:
        if held is not self._held and not held.readers:
            held.view.atlas.close()


def _stamp(path: Path) -> Stamp:
    """When an atlas and what was last added to it were written, and how large they are."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return tuple(
        (s.st_mtime_ns, s.st_size) for file in files if file.exists() for s in [file.stat()]
    )
