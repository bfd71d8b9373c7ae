"""What a study will cost, at the terminal: the table, and whether to go on."""

import sys
from pathlib import Path

import typer
from rich.table import Table

from phosphene.atlas import Atlas
from phosphene.circuits.general import K
from phosphene.cli.output import print_whole, say
from phosphene.study import Price, Promise, Study, within
from phosphene.study import price as priced
from phosphene.study.cost import Cost
from phosphene.study.engines import Engine
from phosphene.study.promise import key_of
from phosphene.words import duration, file_size, literal, plural

ASKED_BEYOND = 600.0
"""Seconds beyond which somebody at the terminal is asked whether to go on."""

_ROUGHLY = 2e10
"""Multiply-adds a second, of a fast processor: what takes it a minute is worth a rehearsal."""

_KINDS = {"pictures": "pictures", "examples": "patches", "edges": "edges"}


def settled(
    study: Study, out: Path, engine: Engine, plan: bool, budget: float | None
) -> tuple[Study, Price | None]:
    """The study as it fits the budget, and its price, which is printed; None where nobody asks."""
    price = None
    if budget is not None:
        study, price = within(study, budget, out, on=engine)
    if price is None and (plan or (budget is None and _worth_asking(study))):
        price = priced(study, out, on=engine)
    if price is not None:
        _tell_price(price, study)
    return study, price


def _tell_price(price: Price, study: Study) -> None:
    """Print what each layer will cost, the sum, and what a budget has chosen."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, overflow="ellipsis", max_width=27)
    for title in ("units", *_KINDS.values(), "time", "size"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, units, kinds in price.rows:
        whole = sum(kinds.values(), Cost())
        cells = (_time(kinds[kind]) if kind in kinds else "" for kind in _KINDS)
        table.add_row(name, units, *cells, _time(whole), file_size(whole.size))
    if price.rows:
        print_whole(table)
    if price.chosen is not None:
        say(f"Chosen to fit: {_chosen(study)}.")
    say(f"[b]{price.summary}[/]")


def _worth_asking(study: Study) -> bool:
    """Whether it is worth a rehearsal: there is somebody to ask, and it may take minutes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    network, adds = study.network, 0
    for layer in study.layers:
        cost = network.costs.get(layer.name, 0)
        for recipe in study.recipes(layer):
            adds += 3 * cost * recipe.steps * len(study.units(layer))
    return adds > 60 * _ROUGHLY


def confirmed(price: Price) -> bool:
    """Ask whether to go on where it takes long."""
    if price.seconds <= ASKED_BEYOND:
        return True
    say("[dim]--budget 10m makes it fit; what was finished is kept whenever you stop.[/]")
    return typer.confirm("Go on?", default=True, err=True)


def tell_promise(study: Study, path: Path) -> None:
    """Say how long it took, where a price was told."""
    with Atlas.open(path) as atlas:
        promise = Promise.read(atlas, key_of(study))
    if promise.price is not None:
        say(promise.summary)


def _time(cost: Cost) -> str:
    return duration(cost.seconds, 1) if cost.seconds >= 0.05 else "-"


def _chosen(study: Study) -> str:
    """What a budget has chosen, in words."""
    settings = study.settings
    said = [plural(max(recipe.steps for recipe in settings.recipes), "step")]
    if settings.largest is not None:
        said.append(f"canvases of at most {'x'.join(map(literal, settings.largest))}")
    if study.chosen:
        most = max(len(study.units(layer)) for layer in study.layers)
        said.append(f"at most {plural(most, 'unit')} of each layer")
    if study.settings.edges < K:
        said.append(plural(study.settings.edges, "edge") if study.settings.edges else "no edges")
    return ", ".join(said)
