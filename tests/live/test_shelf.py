"""An atlas is read once while it stays as it is, and anew when something was added."""

from pathlib import Path

import pytest

from fuzz import small_atlas
from phosphene.atlas import Atlas, Finding
from phosphene.errors import NotAnAtlasError, PhospheneError
from phosphene.live.shelf import Shelf


def add(path: Path, position: int) -> None:
    with Atlas.build(path) as atlas, atlas.job(f"more {position}", "more", "More") as job:
        job.add(Finding(position, "more", "There is more.", {}))


def test_it_is_the_same_until_something_is_added(tmp_path: Path) -> None:
    shelf = Shelf(small_atlas(tmp_path / "a.atlas"))
    with shelf.view() as first, shelf.view() as second:
        assert first is second
    add(shelf.path, 7)
    with shelf.view() as third:
        assert third is not first
        assert third.atlas.findings()[-1].position == 7
    shelf.close()


def test_who_reads_goes_on_when_something_is_added(tmp_path: Path) -> None:
    shelf = Shelf(small_atlas(tmp_path / "a.atlas"))
    with shelf.view() as first:
        add(shelf.path, 7)
        with shelf.view() as second:
            assert second is not first
        assert first.atlas.layers()
    with pytest.raises(PhospheneError, match="closed"):
        first.atlas.layers()
    with shelf.view() as again:
        assert again is second
        shelf.close()
        assert again.atlas.layers()
    with pytest.raises(PhospheneError, match="closed"):
        again.atlas.layers()


def test_what_cannot_be_opened_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.atlas"
    path.write_text("no atlas")
    shelf = Shelf(path)
    with pytest.raises(NotAnAtlasError), shelf.view():
        pass
    path.unlink()
    small_atlas(path)
    with shelf.view() as found:
        assert found.layers
