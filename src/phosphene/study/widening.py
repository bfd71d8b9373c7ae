"""More layers for an atlas that is there: the study that made it, of these layers besides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch.utils.data import Dataset

from phosphene.atlas import Atlas, Job
from phosphene.circuits.general import K
from phosphene.errors import AtlasMismatchError, SettingError
from phosphene.maximize import Recipe
from phosphene.network import Network
from phosphene.study.agreement import wider
from phosphene.study.order import plan
from phosphene.study.plan import CHANNELS, NEURONS, Settings, Study
from phosphene.study.promise import Promise


def with_layers(
    atlas: Atlas,
    network: Network,
    data: Dataset[Any],
    layers: Sequence[str],
    units: Sequence[str] = (),
) -> Study:
    """The study of the atlas with `layers` besides, in the settings it was built with, for `build`.

    `units` chooses what is shown of them, as in `Settings`.

    Raises:
        AtlasMismatchError: the atlas has no finished study.
        SettingError: no layers.
        UnknownLayerError, UnknownUnitError: with the nearest names.
    """
    if not layers:
        raise SettingError("no layer was named; name at least one, such as conv2")
    return Study(network, data, settings_of(atlas, layers, units), atlas.document("source", {}))


def settings_of(atlas: Atlas, layers: Sequence[str], units: Sequence[str] = ()) -> Settings:
    """The settings that an atlas was built with, as its jobs tell them, with `layers` besides.

    What no job tells, since the layers that it has gave no cause to it, is as `Settings` has it.

    Raises:
        AtlasMismatchError: the atlas has no finished study.
    """
    passes = atlas.jobs("pass")
    if not passes:
        raise AtlasMismatchError(
            f"{atlas.path} holds no finished study to add layers to; let `phosphene build` finish"
        )
    looked, edges = passes[-1], atlas.jobs("edges")
    alone = len(atlas.layers()) < 2
    chosen = {name: some for job in atlas.jobs("describe") for name, some in _chosen(job)}
    drawn = next((p.chosen for p in Promise.all_of(atlas) if p.chosen is not None), None)
    known = None if drawn is None else Settings.from_json(drawn)
    return Settings(
        (*(layer.name for layer in atlas.layers()), *layers),
        _recipes(atlas) if known is None else known.recipes,
        examples=looked.params["examples"],
        seed=looked.seed or 0,
        batch=looked.params["batch"],
        units=(*(f"{name}:{unit}" for name in chosen for unit in chosen[name]), *units),
        edges=edges[-1].params["edges"] if edges else K if alone else 0,
        largest=None if known is None else known.largest,
    )


def complete(atlas: Atlas, study: Study) -> bool:
    """Whether the atlas has all that the study would find."""
    states = atlas.states()
    return all(states.get(job.key) == "done" for job in plan(wider(atlas, study)))


def _chosen(job: Job) -> list[tuple[str, Sequence[int]]]:
    found: Mapping[str, Sequence[int]] = job.params.get("chosen", {})
    return list(found.items())


def _recipes(atlas: Atlas) -> tuple[Recipe, ...]:
    """How channels and neurons were drawn; a size is told by a layer that takes it."""
    found: dict[str, Recipe] = {}
    for job in atlas.jobs("pictures"):
        recipe = Recipe.from_json(job.params["recipe"])
        before = found.get(recipe.aim)
        if before is None or before.size is None:
            found[recipe.aim] = recipe
    channels = found.get("channel", CHANNELS)
    places = any(len(layer.shape) > 1 for layer in atlas.layers())
    paced: dict[str, Any] = {"steps": channels.steps, "precision": channels.precision}
    neurons = found.get("neuron") or (None if places else replace(NEURONS, **paced))
    return tuple(each for each in (channels, neurons) if each is not None)
