"""Jobs about some units of a layer."""

import re
import warnings
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from phosphene.atlas import (
    Atlas,
    ExampleRecord,
    Excerpt,
    JobWriter,
    PictureRecord,
    Reads,
    as_kept,
)
from phosphene.attribution import gradient
from phosphene.canvas import Spectrum
from phosphene.errors import NetworkError, ObjectiveError, RectifierError
from phosphene.maximize import (
    ASLEEP,
    LOOKS,
    Drawing,
    Recipe,
    Usual,
    batch_size,
    draw,
    drawing_memory,
)
from phosphene.maximize.transparency import coarse
from phosphene.network import GUIDED, PLAIN, Layer, Network, Rule
from phosphene.objectives import Channel, Term, at_places
from phosphene.study.cost import Cost
from phosphene.study.images import picture
from phosphene.study.job import StudyJob, UnitsJob
from phosphene.study.plan import Study
from phosphene.survey import crop, seen_from
from phosphene.units import Unit

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

UNITS_PER_JOB = 64
"""The most units a job takes on: what a kill can cost at worst."""

_TOGETHER, _STEPS, _LONG = 6, 8, 0.3
"""Units that are drawn, and for how many steps, to tell what drawing costs and how many stay
silent: so many at least, and for the former as many as take so many seconds."""

_FEW_QUIET, _WAKING = 0.05, 16
"""The share of units quiet on all pictures that tells little; steps in which others wake."""


def shares(study: Study) -> Iterator[tuple[Layer, Sequence[int]]]:
    """The units that a study shows, cut into what one job takes on.

    Whole shares of a layer are cut as those of all its units are, so that studies of some of them
    have jobs of the study of all.
    """
    for layer in study.layers:
        size = min(UNITS_PER_JOB, batch_size(study.network, layer.name))
        units = study.units(layer)
        whole = [range(at, min(at + size, layer.units)) for at in range(0, layer.units, size)]
        fitting = [share for share in whole if {*share} <= {*units}]
        if sum(map(len, fitting)) == len(units):
            yield from ((layer, share) for share in fitting)
            continue
        for start in range(0, len(units), size):
            yield layer, units[start : start + size]


@dataclass(frozen=True)
class Examples(UnitsJob):
    """The top pictures of some units, what each unit saw in them, and its map there.

    By which rule the maps were made, and why, is the document `rule` of the job's key.
    """

    kind = "examples"
    needs = frozenset({"pass"})

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        for layer, units in shares(study):
            yield cls(study, layer, units)

    @property
    def title(self) -> str:
        return f"strongest real patches of {self.layer.name}"

    @property
    def params(self) -> dict[str, Any]:
        return {
            "layer": self.layer.name,
            **named(self.units),
            "examples": self.study.settings.examples,
        }

    @property
    def reads(self) -> Reads:
        return Reads((f"top {self.layer.name}",))

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        network = self.study.network
        top = atlas.document(f"top {self.layer.name}")
        seen: dict[int, Tensor] = {}
        rule, reason = _map_rule(network, self.layer)
        shown = {"rule": (rule or PLAIN).name, "reason": reason}
        writer.document(f"rule {self.key}", shown)
        field = network.fields[self.layer.name]
        for done, unit in enumerate(self.units, 1):
            images, places = top["images"][unit], top["places"][unit]
            for index in images:
                if index not in seen:
                    seen[index] = picture(self.study, index)
            pictures = torch.stack([seen[index] for index in images])
            maps = torch.zeros_like(pictures)
            if rule is not None:
                maps = _maps(network, pictures, at_places(self.layer, unit, places), rule)
            boxes = [seen_from(self.layer, field, place) for place in places]
            for rank, (box, cut) in enumerate(zip(boxes, crop(maps, boxes), strict=True)):
                place = self.layer.at(places[rank]) if self.layer.spatial else None
                writer.add(
                    ExampleRecord(
                        layer=self.layer.name,
                        unit=unit,
                        rank=rank,
                        image=images[rank],
                        value=top["values"][unit][rank],
                        y=place[0] if place else None,
                        x=place[1] if place else None,
                        box=box,
                        guided=cut.numpy(),
                    )
                )
            yield done / len(self.units)


@dataclass(frozen=True)
class Pictures(UnitsJob):
    """The synthetic pictures of some units by one recipe."""

    kind = "pictures"
    needs = frozenset({"pass", "spectrum", "usual"})
    recipe: Recipe
    attempts: int | None = None
    """How often at most a unit is tried to be woken; as often as `draw` does unless given."""

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        for layer, units in shares(study):
            for recipe in study.recipes(layer):
                yield cls(study, layer, units, recipe)

    @property
    def title(self) -> str:
        return f"drawing {self.recipe.aim}s of {self.layer.name}"

    @property
    def params(self) -> dict[str, Any]:
        return {
            "layer": self.layer.name,
            **named(self.units),
            "recipe": self.recipe.to_json(),
        }

    @property
    def reads(self) -> Reads:
        return Reads((f"top {self.layer.name}", "usual"), arrays=("spectrum",))

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        study, top = self.study, atlas.document(f"top {self.layer.name}")
        starts = None
        if self._from_real:
            starts = torch.stack([picture(study, top["images"][u][0]) for u in self.units])
        drawings = draw(
            study.network,
            [Unit(self.layer.name, u) for u in self.units],
            self.recipe,
            seed=study.settings.seed,
            spectrum=Spectrum.from_arrays(atlas.arrays("spectrum")),
            usual=Usual.from_json(atlas.document("usual")),
            starts=starts,
            kept=_as_kept,
            attempts=self.attempts,
        )
        writer.add(
            *(self._record(drawing, top["values"][drawing.unit.index][0]) for drawing in drawings)
        )
        yield 1.0

    @property
    def _from_real(self) -> bool:
        """Whether what nothing wakes is drawn from a real picture; none is of a neuron's place."""
        return self.recipe.aim == "channel"

    @property
    def alike(self) -> Hashable:
        return self.kind, self.layer.name, replace(self.recipe, steps=0)

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        """A few steps of a few units are drawn, and the rest is like them."""
        start, step = rehearsal.once(self.alike, lambda: self._measured(rehearsal))
        each = start + step.times(self.recipe.steps)
        memory = len(self.units) * drawing_memory(self.study.network, self.layer.name)
        return replace(each.times(len(self.units)), memory=memory)

    def _measured(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What the picture of one unit costs before the first step, and what each step does."""

        def drawn(steps: int, units: Sequence[int]) -> Cost:
            return rehearsal.cost(self._short(rehearsal, steps, units)).times(1 / len(units))

        first = drawn(0, rehearsal.units(self.layer, 1))
        most = min(len(self.units), max(_TOGETHER, int(_LONG / first.seconds)))
        some = rehearsal.units(self.layer, most)
        start = drawn(0, some)
        steps = max(_STEPS, int(_LONG / start.seconds / len(some)))
        begun = drawn(steps, some)
        ascents = self._ascents(rehearsal)
        step = (begun - start).times(ascents / steps)
        return replace(start.times(ascents), size=begun.size), Cost(step.seconds)

    def _ascents(self, rehearsal: "Rehearsal") -> float:
        """How many ascents a unit takes in the mean until it wakes or is given up.

        A few are tried of the units that are quiet on all real pictures, and of the others.
        """
        values = rehearsal.atlas.document(f"top {self.layer.name}")["values"]
        units = rehearsal.whole.units(self.layer)
        quiet = [unit for unit in units if values[unit][0] <= 0]
        share = len(quiet) / len(units)
        few = quiet[:: -(-len(quiet) // _TOGETHER)] if share > _FEW_QUIET else []
        others = [unit for unit in rehearsal.units(self.layer, _TOGETHER) if values[unit][0] > 0]

        def mean(some: Sequence[int]) -> float:
            return sum(self._taken(rehearsal, some)) / len(some) if some else 1.0

        return share * mean(few) + (1 - share) * mean(others)

    def _taken(self, rehearsal: "Rehearsal", units: Sequence[int]) -> list[float]:
        """The ascents that each of some units takes, by attempts of a few steps.

        A start at which it sleeps takes the looks that tell so.
        """
        steps, size = self.recipe.steps, len(self.units)
        looks, taken = min(1.0, LOOKS / max(1, steps)), list[float]()
        for start in range(0, len(units), size):
            some = units[start : start + size]
            job = self._short(rehearsal, min(_WAKING, steps), some, None)
            taken += [
                sum(looks if note.endswith(ASLEEP) else 1.0 for note in record.attempts)
                for record in rehearsal.records(job, PictureRecord)
            ]
        return taken

    def _short(
        self,
        rehearsal: "Rehearsal",
        steps: int,
        units: Sequence[int],
        attempts: int | None = 1,
    ) -> "Pictures":
        """The same in so many steps, of some units."""
        recipe = replace(self.recipe, steps=steps)
        return Pictures(rehearsal.study, self.layer, units, recipe, attempts)

    def _record(self, drawing: Drawing, strongest: float) -> PictureRecord:
        """A picture, with the recipe and the objective that it was really made by."""
        recipe, objective = drawing.recipe or self.recipe, drawing.objective
        told = {} if objective is None else {"objective": objective.to_json()}
        return PictureRecord(
            layer=self.layer.name,
            unit=drawing.unit.index,
            kind=self.recipe.aim,
            canvas=recipe.canvas.kind,
            picture=drawing.picture.numpy(),
            activation=drawing.activation,
            strongest_real=strongest,
            silent=drawing.silent,
            settings=recipe.to_json() | told,
            attempts=drawing.attempts,
            alpha=_alpha(drawing),
        )


def named(units: Sequence[int]) -> dict[str, list[int]]:
    """Units as parameters of a job: from where to where, or which, where some were chosen."""
    if isinstance(units, range):
        return {"units": [units.start, units.stop]}
    return {"chosen": list(units)}


def _as_kept(picture: Float[Tensor, "c h w"]) -> Float[Tensor, "c h w"]:
    return torch.from_numpy(as_kept(picture.numpy()))


def _alpha(drawing: Drawing) -> Float[ndarray, "h2 w2"] | None:
    """The transparency of a picture in colour; grey would not be told from the paper behind."""
    if drawing.alpha is None or drawing.silent or len(drawing.picture) != 3:
        return None
    return coarse(drawing.alpha[None])[0].numpy()


def _maps(network: Network, pictures: Tensor, objective: Term, rule: Rule) -> Tensor:
    """A map of each picture; empty where the network has no slope."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a map is no number: nobody is there to read it
        maps = gradient(network, pictures, objective, rule).cpu()
    return maps.where(maps.isfinite().flatten(1).all(1)[:, None, None, None], 0.0)


def _map_rule(network: Network, layer: Layer) -> tuple[Rule | None, str | None]:
    """Guided backpropagation, or the plain gradient and why the former is refused for `layer`.

    None where there is no gradient at all.
    """
    black = torch.zeros(1, *network.input.shape, device=network.device)
    reason = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rule in (GUIDED, PLAIN):
            try:
                gradient(network, black, Channel(layer.name, 0), rule)
            except RectifierError as error:
                reason = _first_words(error)
            except (NetworkError, ObjectiveError) as error:
                return None, f"there is no gradient, so the maps are empty: {_first_words(error)}"
            else:
                return rule, reason
    return None, reason


def _first_words(error: Exception) -> str:
    return re.split(r"; |\. ", str(error))[0]  # what follows is what to do instead
