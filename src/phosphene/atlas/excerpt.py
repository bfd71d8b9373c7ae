"""A part of an atlas by value: what a piece of work reads, for whoever does it without the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy import ndarray

from phosphene.atlas.reader import Reader
from phosphene.atlas.records import UnitRecord
from phosphene.errors import AtlasError
from phosphene.shapes import Float

_ABSENT = object()


@dataclass(frozen=True)
class Reads:
    """Names of the documents and the arrays that are read, and of layers whose units are.

    Which of the documents are there is found out when they are read.
    """

    documents: Sequence[str] = ()
    arrays: Sequence[str] = ()
    units: Sequence[str] = ()


class Excerpt:
    """Answers as the atlas that it was taken from, of what was named and nothing else."""

    def __init__(self, atlas: Reader, reads: Reads) -> None:
        """Read what is named.

        Raises:
            AtlasError: arrays or a layer are not there; see `Reader.arrays`, `Reader.units`.
            DamagedError: something is not as it was written.
        """
        self._about = str(atlas.path)
        found = {name: atlas.document(name, _ABSENT) for name in reads.documents}
        self._documents = {k: v for k, v in found.items() if v is not _ABSENT}
        self._arrays = {name: atlas.arrays(name) for name in reads.arrays}
        self._units = {layer: atlas.units(layer) for layer in reads.units}
        self._named = frozenset(reads.documents)

    def document(self, name: str, *otherwise: Any) -> Any:
        """As `Reader.document`; raises `AtlasError` as well for what was not named."""
        if name not in self._documents and name in self._named:
            if otherwise:
                return otherwise[0]
            raise AtlasError(f"the atlas {self._about} has no document {name!r}")
        return self._of(self._documents, "document", name)

    def arrays(self, name: str) -> dict[str, Float[ndarray, "..."]]:
        """As `Reader.arrays`."""
        found: dict[str, Float[ndarray, "..."]] = self._of(self._arrays, "arrays", name)
        return found

    def units(self, layer: str) -> tuple[UnitRecord, ...]:
        """As `Reader.units`."""
        found: tuple[UnitRecord, ...] = self._of(self._units, "units of", layer)
        return found

    def _of(self, held: Mapping[str, Any], what: str, name: str) -> Any:
        if name not in held:
            raise AtlasError(
                f"{what} {name!r} of {self._about} is read and was not named; name it in `reads`"
            )
        return held[name]
