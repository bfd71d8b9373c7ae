"""The choice that a process may make about freed memory."""

import ctypes
import gc
from contextlib import suppress

import pytest

from phosphene import allocator


class Library:
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def mallopt(self, what: int, value: int) -> int:
        self.told.append((what, value))
        return 1


def test_glibc_is_told_to_keep_what_was_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr("sys.platform", "linux")
    allocator.keep_freed_memory()
    assert library.told == [(-4, 0), (-1, 2**31 - 1)]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_left_alone(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr("sys.platform", platform)
    allocator.keep_freed_memory()
    assert library.told == []


def test_a_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # as musl
    allocator.keep_freed_memory()


@pytest.mark.parametrize("collecting", [True, False])
def test_collection_is_put_off_for_a_block_and_then_as_it_was(collecting: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with suppress(KeyError), allocator.uncollected(), allocator.uncollected():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if before else gc.disable)()


def test_what_there_is_after_a_block_for_good_is_not_gone_through_again() -> None:
    held = [[]]
    try:
        with allocator.for_good():
            held.append([])
            assert not gc.isenabled()
        assert gc.isenabled()
        left = {id(thing) for thing in gc.get_objects()}
        assert gc.get_freeze_count() > 0
        assert not {id(held), id(held[1])} & left
    finally:
        gc.unfreeze()
