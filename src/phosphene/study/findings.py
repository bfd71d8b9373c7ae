"""What a study found, in plain words."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from phosphene.atlas import Atlas, Excerpt, Finding, JobWriter, LayerRecord, Skipped, UnitRecord
from phosphene.data import batches
from phosphene.data.dataset import length
from phosphene.evaluation import nearest_neighbours
from phosphene.study.cost import Cost
from phosphene.study.job import EVERYTHING, StudyJob
from phosphene.study.plan import Study
from phosphene.survey import MOST_COMPARED, NO_NUMBER
from phosphene.transforms import resized
from phosphene.words import number, percent

if TYPE_CHECKING:
    from phosphene.study.rehearsal import Rehearsal

Said = tuple[str, str, dict[str, Any]]
"""Topic, text, figures."""

NEIGHBOURS = 5
"""How many real pictures vote on what a class picture looks like."""

_SOME = 8
"""Class pictures that tell what comparing them costs."""

_NAMED = 5
"""So many of those that were left out are named."""


@dataclass(frozen=True)
class Conclude(StudyJob):
    """Findings from everything the other jobs, `keys`, left in the atlas."""

    kind = "findings"
    needs = EVERYTHING
    sole = True
    keys: tuple[str, ...]

    @classmethod
    def planned(cls, study: Study, earlier: Sequence[StudyJob]) -> Iterator[StudyJob]:
        yield cls(study, tuple(job.key for job in earlier))

    @property
    def title(self) -> str:
        return "writing down the findings"

    @property
    def params(self) -> dict[str, Any]:
        return {"jobs": sorted(self.keys)}

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        assert isinstance(atlas, Atlas), "it reads all of it"
        said = [
            *self._accuracy(atlas),
            *self._failed(atlas),
            *self._shown_as(),
            *self._units(atlas),
            *self._pictures(atlas),
        ]
        writer.add(*(Finding(i, *finding) for i, finding in enumerate(said)))
        yield 1.0

    def foreseen(self, rehearsal: "Rehearsal") -> Cost:
        told = rehearsal.cost(replace(self, study=rehearsal.study))
        layer = next((la for la in self.study.layers if la.name == self._logits), None)
        if layer is None:
            return told
        drawn, seen = len(self.study.units(layer)), rehearsal.seen
        told += Cost(drawn * rehearsal.looking)
        if not self._compared(drawn):
            return told
        _, each = rehearsal.once("neighbours", lambda: self._near(rehearsal))
        return told + each.times(drawn * rehearsal.count / seen)

    def _near(self, rehearsal: "Rehearsal") -> tuple[Cost, Cost]:
        """What it takes to compare a picture with those of the small study."""
        some = torch.zeros(_SOME, *self.study.network.input.shape)
        begun = time.perf_counter()
        nearest_neighbours(some, batches(rehearsal.study.data), min(NEIGHBOURS, rehearsal.seen))
        return Cost(), Cost(time.perf_counter() - begun).times(1 / _SOME)

    def _accuracy(self, atlas: Atlas) -> Iterator[Said]:
        seen = atlas.document("seen")
        total = seen["count"] + seen["skipped"]
        endless = [item for item in atlas.skipped() if item.reason.startswith(NO_NUMBER)]
        unread = [item for item in atlas.skipped() if item not in endless]
        for why, what, items in (
            ("unreadable", "files", unread),
            ("the network answers no number to them", "pictures", endless),
        ):
            if items:
                told = f"{len(items)} of {total:,} {what}{_named(items)}"
                yield "data", f"Left out, because {why}: {told}.", seen
        if self.study.vocabulary.words:
            yield "accuracy", f"{self.study.vocabulary.words}.", {}
        found = atlas.document("labels found", None)
        if found is not None:
            yield "accuracy", _labels_found(found), found
        evaluation = atlas.document("evaluation", None)
        if evaluation is None:
            return
        right = round(evaluation["accuracy"] * evaluation["count"])
        of = f"{evaluation['count']:,} pictures of {self.study.data_name}"
        told = f"The network reads {right:,} of {of} correctly"
        if self.study.network.task == "sigmoid":  # others of its labels may hold as well
            told = f"The network's surest label is the picture's own for {right:,} of {of}"
        top5 = evaluation["top5"]
        within = f", {percent(top5, 2)} within five guesses" if top5 else ""
        yield (
            "accuracy",
            f"{told}: {percent(evaluation['accuracy'], 2)}{within}.",
            {"accuracy": evaluation["accuracy"], "count": evaluation["count"]},
        )
        names = self.study.classes
        worst = [
            f"{names[c['true']]} taken for {names[c['predicted']]} ({c['count']}×)"
            for c in evaluation["most_confused"][:3]
            if c["count"] > 1
        ]
        if worst:
            yield "accuracy", f"Confused most: {', '.join(worst)}.", {}

    def _failed(self, atlas: Atlas) -> Iterator[Said]:
        """What could not be done, each reason once."""
        failed: dict[tuple[str, str], int] = {}
        for job in atlas.jobs():
            if job.state == "failed" and job.key in self.keys:
                first, *_ = re.split(r"; |\. ", str(job.error).partition(": ")[2])
                named = (job.title, re.sub(r":\d+(,\d+)+", "", first))  # the units' numbers
                failed[named] = failed.get(named, 0) + 1
        for (title, reason), count in failed.items():
            yield "left out", f"Not done: {title}: {reason}.", {"title": title, "jobs": count}

    def _shown_as(self) -> Iterator[Said]:
        """How the network is shown pictures, and which fields are bounds, where it is unusual."""
        network = self.study.network
        for remark in network.remarks:
            yield "network", f"{remark[:1].upper()}{remark[1:]}.", {}
        bounds = {
            layer.name: str(network.fields[layer.name])
            for layer in self.study.layers
            if network.fields[layer.name].bound
        }
        if bounds:
            told = ", ".join(f"{name} {field}" for name, field in bounds.items())
            yield (
                "fields",
                f"What units see could not be measured to the end: {told}. Patches may show a part "
                "of it.",
                bounds,
            )

    def _units(self, atlas: Atlas) -> Iterator[Said]:
        left_out = atlas.document("left out", {})
        for layer in self._hidden(atlas):
            units = atlas.units(layer.name)
            silent = [u.unit for u in units if u.firing_rate == 0]
            pairs = [(u.unit, u.twin) for u in units if u.twin is not None]
            sought = len(units) <= MOST_COMPARED
            twins = f"; {_twins(len(pairs))}" if sought else ""
            told = f"{layer.name}: {_firing(len(silent), len(units))}{twins}."
            yield (
                "units",
                " ".join([told, *left_out.get(layer.name, ())]),
                {"layer": layer.name, "silent": silent, "duplicates": pairs},
            )
        if self.study.classes:
            yield from self._selective(atlas)

    def _hidden(self, atlas: Atlas) -> list[LayerRecord]:
        return [layer for layer in atlas.layers() if layer.name != self._logits]

    def _selective(self, atlas: Atlas) -> Iterator[Said]:
        meaning = "; a selectivity of 1 means that class alone"
        for layer in self._hidden(atlas):
            best = sorted(
                (u for u in atlas.units(layer.name) if u.selectivity is not None),
                key=_selectivity,
                reverse=True,
            )[:3]
            if best:
                named = [
                    f"{u.layer}:{u.unit} for {self.study.classes[u.preferred_class or 0]} "
                    f"({number(_selectivity(u))})"
                    for u in best
                ]
                yield (
                    "selectivity",
                    f"Most selective in {layer.name}: {', '.join(named)}{meaning}.",
                    {"layer": layer.name, "units": [u.unit for u in best]},
                )
                meaning = ""  # said once

    def _pictures(self, atlas: Atlas) -> Iterator[Said]:
        yield from self._class_pictures(atlas)
        shares = {}
        for layer in atlas.layers():
            best: dict[int, float] = {}
            for picture in atlas.pictures(layer.name):
                real = picture.strongest_real
                if real is not None and real > 0 and not picture.silent:
                    share = picture.activation / real
                    best[picture.unit] = max(share, best.get(picture.unit, 0.0))
            if best:
                shares[layer.name] = median(best.values())
        if shares:
            told = ", ".join(f"{name} {number(share)}" for name, share in shares.items())
            yield (
                "pictures",
                "How many times as much as the strongest real picture the better synthetic one "
                f"excites a unit, in the median: {told}.",
                {"median_share": shares},
            )

    def _class_pictures(self, atlas: Atlas) -> Iterator[Said]:
        layer = next((la for la in atlas.layers() if la.name == self._logits), None)
        if layer is None:
            return
        drawn = [p for p in atlas.pictures(layer.name) if p.kind == "channel"]
        if not drawn:
            return
        pictures = torch.from_numpy(np.stack([p.picture for p in drawn]))
        scores = map(self.study.network.class_scores, pictures.split(self.study.batch))
        read = torch.cat([some.argmax(1).cpu() for some in scores]).tolist()
        right = sum(p.unit == r for p, r in zip(drawn, read, strict=True))
        text = f"The network reads {right} of its {len(drawn)} class pictures as their class"
        figures = {"read": right, "count": len(drawn)}
        if self._compared(len(drawn)):
            size = self.study.network.input.size
            near = nearest_neighbours(
                resized(pictures, size).clamp(0, 1),  # some canvases are not of the data's size
                batches(self.study.data, self.study.batch),
                NEIGHBOURS,
            )
            voted = near.votes(len(self.study.classes)).argmax(1).tolist()
            alike = sum(p.unit == v for p, v in zip(drawn, voted, strict=True))
            text += (
                f"; the {NEIGHBOURS} real pictures nearest to each, pixel by pixel, "
                f"are mostly of that class for {alike}"
            )
            figures["neighbours_agree"] = alike
        yield "pictures", text + ".", figures

    @property
    def _logits(self) -> str | None:
        return self.study.network.logits.name if self.study.network.classifies else None

    def _compared(self, drawn: int) -> bool:
        """Whether so many class pictures are compared with those of the data, for their labels.

        There must be so many of these that most neighbours can be of one class.
        """
        named = bool(getattr(self.study.data, "classes", ())) and self.study.vocabulary.shared
        return named and length(self.study.data) >= (NEIGHBOURS // 2 + 1) * drawn


def _labels_found(found: Mapping[str, Any]) -> str:
    """How well labels that may hold together are found, in words."""
    held, said, both = (sum(found[key]) for key in ("held", "found", "both"))
    return (
        f"Of the labels that hold, {percent(both / max(1, held))} are found (p ≥ 0.5); of those "
        f"found, {percent(both / max(1, said))} hold. Of {found['count']:,} pictures all labels "
        f"are right for {found['right']:,}."
    )


def _named(skipped: Sequence[Skipped]) -> str:
    """The first few that were left out, with the reasons."""
    said = "; ".join(f"{item.path}: {item.reason}" for item in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    return f" ({said}{more})" if said else ""


def _firing(silent: int, units: int) -> str:
    """How many units fire, in words.

    >>> _firing(0, 16), _firing(1, 16), _firing(4, 16)
    ('all 16 units fire on some picture', '1 of 16 units never fires', '4 of 16 units never fire')
    """
    if not silent:
        return f"all {units} units fire on some picture"
    return f"{silent} of {units} units never fire{'s' if silent == 1 else ''}"


def _twins(count: int) -> str:
    """How many units have a near-duplicate, in words.

    >>> _twins(0), _twins(1), _twins(7)
    ('none has a near-duplicate', '1 has a near-duplicate', '7 have a near-duplicate')
    """
    return f"{count or 'none'} {'has' if count < 2 else 'have'} a near-duplicate"


def _selectivity(unit: UnitRecord) -> float:
    return unit.selectivity or 0.0
