"""What is said of something in an atlas that is not as it was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.atlas.table import Table
from phosphene.errors import AtlasError, DamagedError
from phosphene.words import printable

UNCHECKED = "it cannot be understood"
CHANGED_FILE = "its picture is not a whole PNG file"
CHANGED_TYPE = "it holds what nothing has written there"
CHANGED = "it is not what was written, its checksum does not fit"


MOST_NAMED = 60
"""Characters of a name that may be damaged itself."""


@dataclass(frozen=True)
class Damage:
    """One thing that is damaged: what it is called, how that is known, and where it is.

    `row` is its number in `table`, or None where a part of the table cannot be read at all.

    >>> print(Damage("image 3", "its checksum does not fit", "images", 7))
    image 3 is damaged: its checksum does not fit
    """

    what: str
    reason: str
    table: str
    row: int | None = None
    layer: str | None = None
    unit: int | None = None

    def __str__(self) -> str:
        return f"{self.what} is damaged: {self.reason}"

    @property
    def sentence(self) -> str:
        """What a page says in the place of what is damaged."""
        said = str(self)
        return f"{said[0].upper()}{said[1:]}."

    def error(self, path: Path) -> DamagedError:
        """The error for someone who cannot do without it."""
        return DamagedError(
            f"{path}: {self}. `phosphene check {path}` tells all that is; copy the atlas again, or "
            f"drop what is damaged with `phosphene check {path} --drop` and build once more"
        )


def of_row(table: Table[Any], number: int, row: Sequence[Any], reason: str) -> Damage:
    """The damage of a row holding owner, `columns` and checksum, called as far as it still says."""
    cells = dict(zip((*table.owner, *table.columns), row[:-1], strict=True))
    named = {column: printable(f"{value!s:.{MOST_NAMED}}") for column, value in cells.items()}
    layer = cells["name"] if table.name == "layers" else cells.get("layer")
    unit = cells.get("unit")
    return Damage(
        table.title.format(**named),
        reason,
        table.name,
        number,
        layer if isinstance(layer, str) else None,
        unit if isinstance(unit, int) else None,
    )


def of_part(table: Table[Any], clauses: str, values: Sequence[Any], error: AtlasError) -> Damage:
    """The damage of rows that SQLite cannot read, as a query for them says where they are."""
    layer = values[0] if clauses.startswith("WHERE layer = ?") else None
    unit = values[1] if clauses.startswith("WHERE layer = ? AND unit = ?") else None
    where = "" if layer is None else f" of {layer}" if unit is None else f" of {layer}:{unit}"
    reason = printable(error.__cause__ or error)
    return Damage(f"a part of the {table.name}{where}", reason, table.name, None, layer, unit)
