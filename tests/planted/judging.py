"""Any measure over all planted networks: which parts it finds, which decoys it calls parts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from planted.measures import Measure
from planted.networks import ALL
from planted.truth import Planted, Wrong

SHARE = 0.05
"""A unit is called a part from this share of the strongest unit's magnitude on."""


@dataclass(frozen=True)
class Row:
    """What a measure says of one network."""

    name: str
    found: tuple[int, ...]
    missed: tuple[int, ...]
    called: tuple[int, ...]

    @property
    def wrong(self) -> Wrong:
        """Parts missed, others called parts."""
        return Wrong(self.missed, self.called)

    @property
    def right(self) -> bool:
        """Whether all parts were found and nothing else."""
        return not (self.missed or self.called)


@dataclass(frozen=True)
class Table:
    """What a measure says of each network; prints as a table of Markdown."""

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    @property
    def right(self) -> int:
        """How many networks it is right about."""
        return sum(row.right for row in self.rows)

    def __str__(self) -> str:
        lines = ["| network | parts found | missed | decoys called parts |", "|---|---|---|---|"]
        lines += [
            f"| {row.name} | {_listed(row.found)} | {_listed(row.missed)} | {_listed(row.called)} |"
            for row in self.rows
        ]
        return "\n".join(lines)


def judge(measure: Measure, networks: Iterable[Planted] = ALL, share: float = SHARE) -> Table:
    """Run a measure on planted networks.

    `measure` is given a `Planted` and gives back numbers with the source layer's units on the last
    axis; a unit is called a part if anywhere on the other axes its magnitude is `share` of the
    largest of all.
    """
    return Table(tuple(_row(planted, measure, share) for planted in networks))


def overview(tables: dict[str, Table]) -> str:
    """Measures beside each other: what each gets wrong, network by network, in Markdown.

    `-0` is part 0 missed, `+1` is unit 1 called a part that is none.
    """
    names = list(tables)
    lines = [f"| network | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in next(iter(tables.values())):
        cells = [_short(tables[name][row.name].wrong) for name in names]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    rights = [str(table.right) for table in tables.values()]
    return "\n".join([*lines, f"| right | {' | '.join(rights)} |"])


def _row(planted: Planted, measure: Measure, share: float) -> Row:
    found = measure(planted).detach().abs()
    strongest = found.flatten(0, -2).amax(0) if found.ndim > 1 else found
    most = float(strongest.max())
    said = {i for i, value in enumerate(strongest.tolist()) if most > 0 and value >= share * most}
    parts = set(planted.truth.parts)
    return Row(
        planted.name,
        found=tuple(sorted(said & parts)),
        missed=tuple(sorted(parts - said)),
        called=tuple(sorted(said - parts)),
    )


def _listed(units: tuple[int, ...]) -> str:
    return ", ".join(map(str, units)) or "none"


def _short(wrong: Wrong) -> str:
    return " ".join([*(f"-{i}" for i in wrong.missed), *(f"+{i}" for i in wrong.called)]) or "·"
