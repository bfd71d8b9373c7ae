"""In which settings a study differs from the one that an atlas holds, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from phosphene.atlas import Atlas
from phosphene.maximize import Recipe
from phosphene.study.plan import Study
from phosphene.words import differences

Told = dict[str, Any]
Aims = dict[str, Told]
"""How channels and neurons are drawn, by their names."""


def differing(atlas: Atlas, study: Study) -> str:
    """Which settings of `study` are not those of the jobs in `atlas`, and which are."""
    (given, drawn), (found, were_drawn) = _given(study), _found(atlas)
    if given["layers"] == found.get("layers"):  # others may have no neurons to draw
        given["drawn"], found["drawn"] = sorted(drawn), sorted(were_drawn)
    for name, wanted, there in _details(drawn, were_drawn):
        given[name], found[name] = wanted, there
    if given == found:
        return "those that an earlier version of this program had"
    return differences(given, found, "the atlas")


def merging_differences(one: Atlas, other: Atlas) -> str:
    """Which settings of two atlases differ, other than layers and units; empty where none do."""
    (told, drawn), (there, were_drawn) = _found(one), _found(other)
    both = sorted((told.keys() & there.keys()) - {"layers", "units"})
    mine, theirs = {name: told[name] for name in both}, {name: there[name] for name in both}
    for name, wanted, found in _details(drawn, were_drawn):
        mine[name], theirs[name] = wanted, found
    return "" if mine == theirs else differences(mine, theirs, str(other.path))


def _given(study: Study) -> tuple[Told, Aims]:
    settings = study.settings
    told: Told = {
        "layers": [layer.name for layer in study.layers],
        "examples": settings.examples,
        "batch": settings.batch,
        "seed": settings.seed,
    }
    if settings.edges:
        told["edges"] = settings.edges
    if study.chosen:
        told["units"] = _units(study.chosen)
    return told, {f"{r.aim}s": dict(_flat(r.to_json())) for r in settings.recipes}


def _found(atlas: Atlas) -> tuple[Told, Aims]:
    told: Told = {}
    drawn: Aims = {}
    for job in atlas.jobs():
        if job.kind in {"pass", "part"}:
            told |= {name: job.params[name] for name in ("layers", "examples", "batch")}
            told["seed"] = job.seed
        if job.kind == "edges":
            told["edges"] = job.params["edges"]
        if job.kind == "describe" and "chosen" in job.params:
            told["units"] = _units(job.params["chosen"])
        if job.kind == "pictures":
            recipe = job.params["recipe"]
            drawn[f"{recipe['aim']}s"] = dict(_flat(recipe))
    return told, drawn


def _units(chosen: Mapping[str, Any]) -> str:
    return "; ".join(f"{layer}:{','.join(map(str, units))}" for layer, units in chosen.items())


def _flat(recipe: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`{"canvas": {"canvas": "maco", "spread": 1}}` as `canvas` and `canvas spread`.

    What is drawn, and its size, which goes by the layer, are left out.
    """
    for name, value in {"precision": Recipe.precision, **recipe}.items():
        if isinstance(value, Mapping):
            for inner, detail in value.items():
                yield (name if inner in {name, "name"} else f"{name} {inner}"), detail
        elif name not in {"aim", "size"}:
            yield name, value


def _details(given: Aims, found: Aims) -> Iterator[tuple[str, Any, Any]]:
    """Each setting of drawing with its two values, told once where all aims have the same two."""
    common = sorted(given.keys() & found.keys())
    for name in dict.fromkeys(name for aim in common for name in {**given[aim], **found[aim]}):
        pairs = {aim: (given[aim].get(name), found[aim].get(name)) for aim in common}
        other = [aim for aim, (wanted, there) in pairs.items() if wanted != there]
        if not other:
            if " " not in name:
                yield name, True, True
        elif len(other) == len(common) and len(set(map(repr, pairs.values()))) == 1:
            yield name, *pairs[other[0]]
        else:
            yield from ((f"{name} of {aim}", *pairs[aim]) for aim in other)
