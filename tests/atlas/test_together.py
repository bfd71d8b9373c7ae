"""Many callers of one atlas: none is turned away, and nothing is lost."""

import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from phosphene.atlas import Atlas, Document, LayerRecord, Skipped, claim, claimed, claims, verify
from phosphene.errors import AtlasError

pytestmark = pytest.mark.slow  # processes and threads

MOMENTS = 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.atlas"


WRITER = """
    import random, sys, time
    from phosphene.atlas import Atlas, Document, Skipped
    path, name, moments = sys.argv[1], sys.argv[2], random.Random(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[3])):
        with Atlas.build(path) as atlas:
            with atlas.job(f"{name}{number}", "kind", name) as job:
                job.add(*(Skipped(f"{name}{number}/{row}", "cut short") for row in range(50)))
                time.sleep(moments.uniform(0, 0.01))
        with Atlas.open(path) as atlas:
            assert atlas.done(f"{name}{number}")
"""


def test_two_processes_write_at_a_hundred_moments(path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    writers = [
        subprocess.Popen(
            [*command, name, str(MOMENTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate("go\n")
    assert [writer.returncode for writer in writers] == [0, 0]
    with Atlas.open(path) as atlas:
        assert atlas.states() == {f"{n}{i}": "done" for n in "ab" for i in range(MOMENTS)}
        assert len(atlas.skipped()) == 2 * MOMENTS * 50
    assert verify(path).whole
    assert list(path.parent.iterdir()) == [path]


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """What `count` threads make of `work`, all of which begin together."""
    start = threading.Barrier(count)

    def begin(number: int) -> object:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


def test_threads_write_through_one_open_atlas(path: Path) -> None:
    def write(name: int) -> None:
        for number in range(20):
            with atlas.job(f"{name} {number}", "kind", "title") as job:
                job.document(f"{name} {number}", [name] * 100)

    with Atlas.build(path) as atlas:
        at_once(4, write)
    with Atlas.open(path) as atlas:
        found = {name: atlas.document(name) for name in atlas.documents()}
        assert found == {f"{n} {i}": [n] * 100 for n in range(4) for i in range(20)}
    assert list(path.parent.iterdir()) == [path]


def test_threads_make_one_atlas_together(path: Path) -> None:
    for number in range(20):
        new = path.with_name(f"{number}.atlas")
        at_once(4, lambda _, new=new: Atlas.build(new).close())
        assert Atlas.open(new).close() is None
        Atlas.build(new).close()  # of those who left at the same moment none may be the last
    assert len(list(path.parent.iterdir())) == 20


def test_threads_read_one_open_atlas_while_it_is_written(path: Path) -> None:
    layer = LayerRecord("fc", 0, "Linear", (10,), 10, None, True, True)
    with Atlas.build(path) as writer:
        with writer.job("layers", "kind", "title") as job:
            job.add(layer, *(Document(str(n), [n] * 1000) for n in range(50)))
        with Atlas.open(path) as atlas:

            def read(number: int) -> bool:
                moments = random.Random(number)
                if number == 0:
                    for more in range(50):
                        with writer.job(f"more {more}", "kind", "title") as job:
                            job.add(Skipped(f"{more}", "cut short"))
                wanted = [moments.randrange(50) for _ in range(100)]
                return all(atlas.document(str(n)) == [n] * 1000 for n in wanted) and (
                    atlas.layer("fc") == layer
                )

            assert at_once(8, read) == [True] * 8
            assert len(atlas.states()) == 51
    assert list(path.parent.iterdir()) == [path]


def test_an_atlas_that_is_open_to_read_sees_what_a_later_writer_adds(path: Path) -> None:
    Atlas.build(path).close()
    with Atlas.open(path) as atlas:
        assert atlas.states() == {}
        with Atlas.build(path) as writer, writer.job("key", "kind", "title"):
            pass
        assert atlas.states() == {"key": "done"}
        (told,) = at_once(1, lambda _: atlas.states())
        assert told == {"key": "done"}


def test_a_closed_atlas_is_closed_for_every_thread(path: Path) -> None:
    Atlas.build(path).close()
    atlas = Atlas.open(path)
    at_once(3, lambda _: atlas.states())
    atlas.close()
    with pytest.raises(AtlasError, match="closed database"):
        at_once(1, lambda _: atlas.states())


def test_connections_of_ended_threads_are_closed(path: Path) -> None:
    Atlas.build(path).close()
    with Atlas.open(path) as atlas:
        for _ in range(5):
            at_once(2, lambda _: atlas.states())
        assert len(atlas._connections._of) <= 3


def test_a_job_is_claimed_by_one(path: Path) -> None:
    with Atlas.build(path) as one, Atlas.build(path) as two:
        with claim(one, "key", "kind") as ours, claim(two, "key", "kind") as theirs:
            assert (ours, theirs) == (True, False)
            assert claimed(two) == {"key": "kind"}
            with claim(two, "other", "kind") as other:
                assert other
        with claim(two, "key", "kind") as theirs:
            assert theirs
        assert claimed(one) == {}


def test_who_waits_for_the_file_does_not_end_a_claim_made_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Atlas.build(path) as first, Atlas.build(path) as late:
        waiting = late._transaction

        def let_the_other_go_first() -> AbstractContextManager[None]:
            time.sleep(0.01)
            assert claims._take(first, "key", "kind", "first")
            assert claimed(late) == {"key": "kind"}
            return waiting()

        monkeypatch.setattr(late, "_transaction", let_the_other_go_first)
        assert not claims._take(late, "key", "kind", "late")


def test_a_claim_is_renewed_while_the_work_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE_SECONDS", 0.3)
    with Atlas.build(path) as one, claim(one, "key", "kind"):
        waiting = threading.Event()
        for _ in range(3):
            waiting.wait(0.3)
            with Atlas.build(path) as two, claim(two, "key", "kind") as theirs:
                assert not theirs


def test_the_claim_of_one_who_was_killed_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE_SECONDS", 0.01)
    with Atlas.build(path) as atlas:
        assert claims._take(atlas, "key", "kind", "killed")
        threading.Event().wait(0.02)
        with claim(atlas, "key", "kind") as ours:
            assert ours
