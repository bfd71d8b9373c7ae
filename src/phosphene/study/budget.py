"""The settings by which a study fits into a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from phosphene.atlas import Atlas
from phosphene.errors import SettingError
from phosphene.progress import telling
from phosphene.study.engines import Engine
from phosphene.study.plan import Settings, Study
from phosphene.study.pricing import Price, appraising
from phosphene.study.promise import Promise, key_of
from phosphene.words import duration

_HELD = 0.8
"""The share of the time that is given away, so that what takes longer than foreseen still fits."""

_FEWER, _FEWEST = 128, 64
"""Steps. A picture of 128 is hard to tell from one of 256; one of 64 shows what it is of."""

_MANY, _SOME, _EDGES = 16, 4, 3
"""Units of each layer that are shown before pictures are made smaller for their sake, and before
edges are given up; how many edges of each unit are measured in between.

Of few units of a layer nearly all that they are made of is measured, for what it is a part of.
"""


@telling("rehearsing")
def within(
    study: Study, seconds: float, path: str | Path | None = None, *, on: str | Engine = "here"
) -> tuple[Study, Price | None]:
    """The study with the best settings by which what is left of it takes `seconds`, and its price.

    First there are fewer steps, 128; then fewer units of each layer are shown, the first ones, down
    to 16; then 64 steps on a canvas of half the side, with few edges, and fewer units again; then
    no edges. All units are measured by the pass all the same. An atlas that was begun so goes on
    with the settings that it has, and with the price that it knows.

    Raises:
        SettingError: not even one unit of each layer fits, with what that takes.
        AtlasMismatchError, DataError: see `price`.
    """
    if path is not None and Path(path).exists():
        with Atlas.open(path) as atlas:
            promise = Promise.read(atlas, key_of(study))
        if promise.chosen is not None:
            return study.under(Settings.from_json(promise.chosen)), None
    with appraising(study, path, on) as appraiser:

        def priced(other: Study) -> Price:
            return appraiser.price(other)

        def fits(price: Price) -> bool:
            return price.seconds <= _HELD * (seconds - price.rehearsed)

        for candidate in _candidates(study, lambda other: fits(priced(other))):
            price = priced(candidate)
            if fits(price):
                return candidate, replace(price, chosen=candidate.settings.to_json())
        least = duration((price.seconds / _HELD) + price.rehearsed)
    raise SettingError(
        f"--budget of {duration(seconds)}: one unit of each layer, with everything that comes "
        f"before, takes about {least}; give that much, fewer layers, or fewer pictures"
    )


def _candidates(study: Study, fits: Callable[[Study], bool]) -> Iterator[Study]:
    """Studies that cost less and less."""
    yield study
    fewer = _drawn(study, _FEWER)
    yield fewer
    most = max(len(study.units(layer)) for layer in study.layers)
    yield _as_many(fewer, min(_MANY, most), most, fits)
    height, width = study.network.input.size
    small = _drawn(study, _FEWEST, ((height + 1) // 2, (width + 1) // 2))
    yield _as_many(_with_edges(small, _EDGES), min(_SOME, most), most, fits)
    yield _as_many(_with_edges(small, 0), 1, most, fits)


def _drawn(study: Study, steps: int, largest: tuple[int, int] | None = None) -> Study:
    """The study with at most so many steps, on canvases of at most that size."""
    settings = study.settings
    recipes = tuple(replace(recipe, steps=min(steps, recipe.steps)) for recipe in settings.recipes)
    return study.under(replace(settings, recipes=recipes, largest=settings.largest or largest))


def _with_edges(study: Study, most: int) -> Study:
    """The study with at most so many edges of each unit."""
    settings = study.settings
    return study.under(replace(settings, edges=min(most, settings.edges)))


def _as_many(study: Study, least: int, most: int, fits: Callable[[Study], bool]) -> Study:
    """The study of as many units of each layer as fit, of `least` if fewer."""
    low, high = least, most + 1  # low is tried, high is too many
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        if fits(_first_units(study, middle)):
            low = middle
        else:
            high = middle
    return _first_units(study, low)


def _first_units(study: Study, count: int) -> Study:
    """The study that shows the first so many of the units of each layer that it shows now."""
    units = [
        f"{layer.name}:{unit}"
        for layer in study.layers
        if count < layer.units
        for unit in study.units(layer)[:count]
    ]
    return study.under(replace(study.settings, units=tuple(units)))
