"""How this process treats memory that it has freed."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def keep_freed_memory() -> None:
    """Keep freed memory for the next step instead of giving it back to the system, with glibc.

    An ascent asks for the same large blocks at every step. Left alone, malloc maps each one anew
    and the system fills it with zeros: a quarter of the time of a step at 224 pixels, and more on
    virtual machines. It is a choice for a whole process, which then holds the most that it ever
    needed: commands make it, and a script or notebook may, once, at its start. Elsewhere than with
    glibc on Linux it does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def uncollected() -> Iterator[None]:
    """Put the collection of cycles off for a block that makes much and leaves little behind.

    Modules that are being read are that: a collection in between goes through all that torch has
    made, and takes as long as all of ours.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def for_good() -> Iterator[None]:
    """`uncollected`, after which no collection goes through what there is by then.

    It is a choice for a whole process, as commands are, since none of that is ever collected.
    """
    with uncollected():
        yield
        gc.freeze()
