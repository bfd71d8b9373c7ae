"""What people write for an engine: `here`, `processes:4`, `ray`, `ray://HOST:PORT`."""

from phosphene.errors import SettingError
from phosphene.study.engines.engine import Engine
from phosphene.study.engines.here import Here
from phosphene.study.engines.processes import Processes

MOST = 1024


def engine_of(text: str) -> Engine:
    """The engine that a text names.

    Raises:
        SettingError: there is none of that name.
        SpecError: Ray is not installed.

    >>> engine_of("processes:3").wanted
    3
    """
    kind, colon, rest = text.partition(":")
    if text == "here":
        return Here()
    if kind == "processes" and rest.isdecimal() and 1 <= int(rest) <= MOST:
        return Processes(int(rest))
    if text == "ray" or (kind == "ray" and rest.startswith("//")):
        from phosphene.study.engines.rayed import Rayed  # noqa: PLC0415 - not all have Ray

        return Rayed(text if colon else None)
    raise SettingError(
        f"--on {text!r}: write here, processes:N (N from 1 to {MOST:,}), ray, or ray://HOST:PORT"
    )
