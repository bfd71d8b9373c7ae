"""Who is at which job, so that two who build one atlas do not do the same work twice.

A claim holds for `LEASE_SECONDS` and is renewed while the work goes on, so that of one who was
killed it ends by itself. Nothing rests on claims but time: a job that two have done is kept once.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from threading import Event, Thread

from phosphene.atlas.store import Atlas
from phosphene.errors import AtlasError

LEASE_SECONDS = 10.0


@contextmanager
def claim(atlas: Atlas, key: str, kind: str) -> Iterator[bool]:
    """Claim a job for as long as the block runs: False where another has it."""
    owner, ended, taken = token_hex(8), Event(), None
    renewing = Thread(target=_renew, args=(atlas, owner, ended), daemon=True)
    try:
        taken = _take(atlas, key, kind, owner)
        if taken:
            renewing.start()
        yield taken
    finally:
        ended.set()
        if renewing.ident is not None:
            renewing.join()
        if taken is not False:  # an interruption may come before that is known
            with suppress(AtlasError), atlas._transaction():  # if it cannot be given up, it ends
                atlas._execute("DELETE FROM claims WHERE owner = ?", owner)


def claimed(atlas: Atlas) -> dict[str, str]:
    """The jobs that somebody is at: the kind of each by its key."""
    claims = atlas._query("SELECT key, kind, until FROM claims")
    now = time.time()
    return {key: kind for key, kind, until in claims if now <= until <= now + LEASE_SECONDS}


def _take(atlas: Atlas, key: str, kind: str, owner: str) -> bool:
    with atlas._transaction():
        now = time.time()  # not before: who waited for the file would end what is newer than it
        until = now + LEASE_SECONDS
        atlas._execute("DELETE FROM claims WHERE until NOT BETWEEN ? AND ?", now, until)
        atlas._execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?)", key, kind, owner, until)
        return bool(atlas._query("SELECT 1 FROM claims WHERE owner = ?", owner))


def _renew(atlas: Atlas, owner: str, ended: Event) -> None:
    with suppress(AtlasError):  # then it ends early, which costs no more than time
        while not ended.wait(LEASE_SECONDS / 3):
            with atlas._transaction():
                until = time.time() + LEASE_SECONDS
                atlas._execute("UPDATE claims SET until = ? WHERE owner = ?", until, owner)
