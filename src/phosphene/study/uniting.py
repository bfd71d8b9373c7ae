"""The jobs of which a study has one, put together from those of several atlases."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phosphene.atlas import Atlas, Document, Job, LayerRecord, job_key
from phosphene.atlas.codec import canonical_json
from phosphene.atlas.copying import Row, Rows, cells_of, named, rows_of
from phosphene.atlas.records import DOCUMENTS, UNITS
from phosphene.errors import AtlasMismatchError
from phosphene.study.finding import FROM
from phosphene.study.whole import OF_PICTURES
from phosphene.survey.between import neighbouring
from phosphene.words import printable

Held = tuple[Atlas, Job]
"""A job and the atlas that has it."""

Chosen = dict[str, list[int]]
"""The units that are shown, of the layers of which not all are."""


def described(held: Sequence[Held]) -> tuple[Job, Rows] | Held:
    """The one `describe` of several: that of them which has all layers and units, or a new one.

    Raises:
        AtlasMismatchError: nothing tells in which order the network runs the layers.
    """
    names, chosen = _layers(held), _chosen(held)
    for atlas, job in held:
        if job.params["layers"] == names and job.params.get("chosen", {}) == chosen:
            return atlas, job
    atlas, first = held[0]
    params = {key: value for key, value in first.params.items() if key != "chosen"}
    params |= {"layers": names} | ({"chosen": chosen} if chosen else {})
    rows = rows_of(atlas, first.key)
    rows["documents"] = [row for row in rows["documents"] if row[0] != "chosen"]
    if chosen:
        rows["documents"].append(cells_of(Document("chosen", chosen)))
    layers = {layer.name: layer for each, _ in held for layer in each.layers()}
    placed = [replace(layers[name], position=place) for place, name in enumerate(names)]
    rows["layers"] = [cells_of(layer) for layer in placed]
    return _made(held, params), rows


def passed(held: Sequence[Held]) -> tuple[Job, Rows] | Held:
    """The one `pass` of several, over all their layers: one of them, or a new one.

    Where neighbouring layers were in no pass together, the parameter `apart` names them: it is
    known of no unit there with which of the other layer it correlates, until a build passes anew.

    Raises:
        AtlasMismatchError: they did not see the same pictures, or read them otherwise.
    """
    names = _layers(held)
    for atlas, job in held:
        if job.params["layers"] == names and "apart" not in job.params:
            return atlas, job
    several = [rows_of(atlas, job.key) for atlas, job in held]
    _require_same_pictures(held, several)
    rows: Rows = {}
    for some in several:
        for table, found in some.items():
            known = rows.setdefault(table, [])
            if table != UNITS.name:
                known += [row for row in found if row not in known and row[0] != "left out"]
    rows[UNITS.name], apart = _units(held, several, names)
    left_out: dict[str, Any] = {}
    for atlas, job in held:
        told = atlas.document("left out", {})
        left_out |= {name: told[name] for name in job.params["layers"] if name in told}
    if left_out:
        rows["documents"].append(cells_of(Document("left out", left_out)))
    params = {key: value for key, value in held[0][1].params.items() if key != "apart"}
    params |= {"layers": names} | ({"apart": apart} if apart else {})
    return _made(held, params), rows


def _units(
    held: Sequence[Held], several: Sequence[Rows], names: Sequence[str]
) -> tuple[list[Row], list[list[str]]]:
    """What is known of all units, with what correlates with them most among neighbours.

    Also the pairs of layers of which that is not known, since they were in no pass together.

    Raises:
        AtlasMismatchError: two found something else of the same unit.
    """
    layer, unit, place = map(UNITS.columns.index, ("layer", "unit", "correlated"))
    rows: dict[tuple[Any, Any], Row] = {}
    alike: dict[tuple[Any, Any], dict[str, Any] | None] = {}
    for (other, _), some in zip(held, several, strict=True):
        for row in some.get(UNITS.name, ()):
            which, bare = (row[layer], row[unit]), (*row[:place], None, *row[place + 1 :])
            if rows.setdefault(which, bare) != bare:
                raise AtlasMismatchError(
                    f"{held[0][0].path} and {other.path} have different passes over the same data: "
                    f"{named(UNITS.name, row)} differs; build one study of all these layers instead"
                )
            told, known = row[place], alike.get(which)
            alike[which] = known if told is None else (known or {}) | json.loads(told)
    sizes = {found.name: found.units for atlas, _ in held for found in atlas.layers()}
    wanted = neighbouring([(name, sizes[name]) for name in names])
    beside = {name: {name, *(n for pair in wanted if name in pair for n in pair)} for name in names}
    told_of = {name: {*names} for name in names}
    united = []
    for (name, number), row in rows.items():
        found = alike[name, number]
        told_of[name] &= set() if found is None else {name, *found}
        kept = found and {other: found[other] for other in found.keys() & beside[name]}
        cell = None if kept is None else canonical_json(kept)
        united.append((*row[:place], cell, *row[place + 1 :]))
    without = [[name, name] for name in names if name not in told_of[name]]
    apart = [[one, other] for one, other in wanted if other not in told_of[one]]
    return united, without + apart


def about_pictures(atlases: Sequence[Atlas]) -> list[Row]:
    """The documents about pictures that are shown, of those of several atlases together."""
    found: dict[str, dict[str, Any]] = {}
    for atlas in atlases:
        for name in OF_PICTURES:
            found.setdefault(name, {}).update(atlas.document(name, {}))
    return [cells_of(Document(name, told)) for name, told in found.items() if told]


def _made(held: Sequence[Held], params: dict[str, Any]) -> Job:
    """The job of those parameters, as long as all of `held` together and ended with the last."""
    atlas, first = held[0]
    fingerprints = (atlas.document(name)["fingerprint"] for name in ("network", "data"))
    return replace(
        first,
        key=job_key(first.kind, params, first.seed, *fingerprints),
        params=params,
        seconds=sum(job.seconds for _, job in held),
        finished=max(job.finished for _, job in held),
    )


def _layers(held: Sequence[Held]) -> list[str]:
    """All their layers, in the order in which the network runs them."""
    every = {name for _, job in held for name in job.params["layers"]}
    for _, job in held:
        if every == {*job.params["layers"]}:
            return list(job.params["layers"])
    order = next((found for atlas, _ in held if (found := atlas.document("order", None))), None)
    if order is None or not every <= {*order}:
        paths = " and ".join(str(atlas.path) for atlas, _ in held)
        raise AtlasMismatchError(
            f"{paths} are of different layers, and from before atlases said in which order the "
            "network runs them; build one of them again, under another name"
        )
    return [name for name in order if name in every]


def _chosen(held: Sequence[Held]) -> Chosen:
    found: dict[str, set[int]] = {}
    layers: dict[str, LayerRecord] = {}
    for atlas, job in held:
        for layer in atlas.layers():
            some = job.params.get("chosen", {}).get(layer.name, range(layer.units))
            found.setdefault(layer.name, set()).update(some)
            layers[layer.name] = layer
    return {name: sorted(units) for name, units in found.items() if len(units) < layers[name].units}


def _require_same_pictures(held: Sequence[Held], several: Sequence[Rows]) -> None:
    """What does not depend on the layers must be the same of all."""
    (first, _), one = held[0], several[0]
    for (other, _), another in zip(held[1:], several[1:], strict=True):
        mine, theirs = {*_shared(one)}, {*_shared(another)}
        if mine != theirs:
            what = sorted(str(row[0]) for row in mine ^ theirs)[0]
            raise AtlasMismatchError(
                f"{first.path} and {other.path} have different passes over the same data: "
                f"“{printable(what)}” differs, as where some layer answers no number to a picture; "
                "build one study of all these layers instead"
            )


def _shared(rows: Rows) -> Iterator[Row]:
    yield from rows.get("skipped", ())
    for row in rows.get("documents", ()):
        if row[0] != "left out" and not row[0].startswith("top "):
            yield row


def moved(rows: Mapping[str, Sequence[Row]], before: Path, after: Path) -> Rows:
    """Rows of a `describe` for an atlas elsewhere: it was built from the same folder."""
    found = {table: [*some] for table, some in rows.items()}
    for place, row in enumerate(found.get("documents", ())):
        if row[0] == "source":
            told = DOCUMENTS.read(row).value
            if FROM in told:
                start = os.path.relpath(before.parent / told[FROM], after.parent)
                found["documents"][place] = cells_of(Document("source", told | {FROM: start}))
    return found
