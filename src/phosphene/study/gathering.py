"""Going through the data shard by shard, and going on where that was left."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from phosphene.atlas import Atlas, Excerpt, JobWriter, PartRecord
from phosphene.data import batches, item_name, shard_length, shards, spans
from phosphene.data.dataset import length
from phosphene.errors import DataError
from phosphene.study.job import ShardedJob
from phosphene.study.plan import Study
from phosphene.survey import Survey, Tree
from phosphene.survey.state import load_state, put_together, save_state, told_apart
from phosphene.survey.tree import width


def empty(study: Study) -> Callable[[], Survey]:
    """What makes a survey of the study that has seen nothing."""
    layers = [layer.name for layer in study.layers]
    classes = None if study.vocabulary.shared else len(study.classes)
    name, kept = partial(item_name, study.data), study.settings.examples
    return Survey(study.network, layers, classes, kept, name=name, neighbours=True).empty


def shard_count(study: Study) -> int:
    """How many shards the data of a study make."""
    return -(-length(study.data) // shard_length(study.batch))


class Gathering:
    """A pass, or a part of one, through some shards, by their numbers.

    What was found is kept at `path` after each shard, under `key`, and gone on from. What `parts`
    found, by the shard that each begins with, is taken in when it is their turn.
    """

    def __init__(
        self,
        study: Study,
        path: Path,
        key: str,
        through: range,
        parts: Mapping[int, PartRecord] | None = None,
    ) -> None:
        # An earlier version's pass gathered less, and cannot be gone on from.
        self.study, self.path, self.key = study, path, f"{key} of a tree with neighbours"
        self.stop, self.parts = through.stop, parts or {}
        self.count = len(self._items(through))
        self.tree: Tree[Survey] = Tree(empty(study), through.start)
        load_state(self.tree, path, self.key)
        self._take_parts()

    @property
    def share(self) -> float:
        """The share of the pictures that was looked at."""
        return self.tree.seen / max(1, self.count)

    def left(self) -> list[range]:
        """The shards that are left, as spans of the data, in their order."""
        found = map(self._items, self._left())
        batch = self.study.batch
        return [span for items in found for span in spans(items.stop, batch, items.start)]

    def through(self) -> Iterator[float]:
        """Go through all that is left; yields the share that was looked at."""
        study, tree, workers = self.study, self.tree, self.study.settings.workers
        for items in [*map(self._items, self._left())]:
            for shard in shards(study.data, study.batch, workers, items.start, items.stop):
                part = tree.empty()
                for batch in shard:
                    part.add(batch)
                    yield (tree.seen + part.seen) / self.count
                self.take(part)

    def take(self, survey: Survey) -> None:
        """Take in what was found in the next of the shards that are left."""
        self.tree.take(survey)
        self._take_parts()
        if self.tree.stop < self.stop:
            save_state(self.tree, self.path, self.key)

    def _take_parts(self) -> None:
        while self.tree.stop < self.stop and (part := self.parts.get(self.tree.stop)):
            survey = self.tree.empty()
            survey.restore(put_together(part.about, load(part.tensors)))
            self.tree.take(survey, part.level, part.count)

    def _left(self) -> Iterator[range]:
        """The shards that nobody went through, neighbours together."""
        at = self.tree.stop
        while at < self.stop:
            part = self.parts.get(at)
            if part is not None:
                at += part.count * width(part.level)
                continue
            later = (start for start in self.parts if start > at)
            stop = min(later, default=self.stop)
            yield range(at, stop)
            at = stop

    def _items(self, some: range) -> range:
        """The items of the data that neighbouring shards have."""
        each, count = shard_length(self.study.batch), length(self.study.data)
        return range(some.start * each, min(some.stop * each, count))


class ThroughData(ShardedJob):
    """A job that goes through shards of the data and gathers from them."""

    @abstractmethod
    def begun(self, atlas: Atlas) -> Gathering:
        """What the shards are taken into, with what an earlier run of this job left of them."""

    def run(self, atlas: Atlas | Excerpt, writer: JobWriter) -> Iterator[float]:
        assert isinstance(atlas, Atlas), "what is left of the pass lies beside the file"
        gathering = self.begun(atlas)
        yield from gathering.through()
        self.conclude(gathering, writer)

    def shards(self, gathered: Gathering) -> Sequence[range]:
        return gathered.left()

    def gather(self, shard: range) -> Iterator[float | Mapping[str, Any]]:
        study, part = self.study, empty(self.study)()
        workers = study.settings.workers
        for batch in batches(study.data, study.batch, workers, shard.start, shard.stop):
            part.add(batch)
            yield part.seen / len(shard)
        yield part.state()

    def parsed(self, gathered: Gathering, shard: range, found: Any) -> Survey:
        part = gathered.tree.empty()
        part.restore(dict(found))
        if part.seen != len(shard):
            raise DataError(f"{part.seen} pictures were seen in a shard of {len(shard)}")
        return part

    def take(self, gathered: Gathering, part: Survey, atlas: Atlas) -> float:
        gathered.take(part)
        return gathered.share


def records(tree: Tree[Survey], whole: str) -> Iterator[PartRecord]:
    """What a part of the pass `whole` found, as an atlas keeps it."""
    for node in tree.nodes:
        about, tensors = told_apart(node.survey.state())
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        yield PartRecord(whole, node.start, node.level, node.count, about, content)


def parts_of(atlas: Atlas, whole: str) -> dict[int, PartRecord]:
    """The parts of a pass that an atlas has, by the shard that each begins with; the longest."""
    found: dict[int, PartRecord] = {}
    for part in atlas.records(PartRecord):
        held = found.get(part.shard)
        if part.whole == whole and (held is None or _size(held) < _size(part)):
            found[part.shard] = part
    return found


def _size(part: PartRecord) -> tuple[int, int]:
    return part.level, part.count
