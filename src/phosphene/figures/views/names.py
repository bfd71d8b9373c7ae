"""What people call an atlas's units, classes and images, by what its documents say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.atlas import Atlas, ImageRecord, LayerRecord, expecting
from phosphene.errors import AtlasError
from phosphene.words import class_name, percent

UNREAD: dict[str, Any] = {"told": "", "how": "found", "labels": ()}
"""What an atlas that says nothing of how outputs are read leaves to be assumed."""


@dataclass(frozen=True)
class Names:
    """The names of an atlas.

    `outputs` are those of the network's classes and `labels` those of the data's; `output` is the
    layer whose units are the classes. `reading` tells how outputs are read, `members` which labels
    an image has, by its number, where it may have several; `files` names the file of each.
    """

    outputs: Sequence[str]
    labels: Sequence[str]
    output: str | None
    reading: Mapping[str, Any] = field(default_factory=lambda: UNREAD)
    members: Mapping[str, Sequence[int]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, atlas: Atlas, network: Any) -> "Names":
        """The names in an atlas, of which `network` describes the network.

        Raises:
            TruncatedAtlasError: what it says of its network or of its outputs is no such thing.
        """
        told = document(atlas, "reading", None)
        with expecting(atlas, network, "description of a network"):
            outputs = tuple(network["labels"])
        with expecting(atlas, told, "description of how outputs are read"):
            reading = UNREAD | ({} if told is None else told)
            labels = tuple(reading["labels"]) or outputs
        output = _last(atlas, len(outputs)) if told is None else reading.get("layer")
        known = document(atlas, "members", {}), document(atlas, "files", {})
        return cls(outputs, labels, output, reading, *known)

    def unit(self, layer: LayerRecord, unit: int) -> str:
        """`channel 3` of maps, `class cat` of the outputs, `unit 3` of anything else."""
        if layer.name == self.output:
            return f"class {class_name(self.outputs, unit)}"
        return f"{'channel' if len(layer.shape) == 3 else 'unit'} {unit}"

    def label(self, index: int | None) -> str:
        """A label of the data as people call it; "unlabelled" where an image has none."""
        return "unlabelled" if index is None else class_name(self.labels, index)

    def of_image(self, image: ImageRecord) -> str | None:
        """What an image is labelled as: its class, or those of its labels that hold."""
        known = self._known(image)
        return None if known is None else ", ".join(known) or "none of the labels"

    def read_as(self, image: ImageRecord) -> str | None:
        """What an image is read as, where that is not known to be its class."""
        if image.predicted is None:
            return None
        read = class_name(self.outputs, image.predicted)
        if read in (self._known(image) or ()):
            return None
        sure = "" if image.probability is None else f", {percent(image.probability)}"
        return f"read as {read}{sure}"

    def _known(self, image: ImageRecord) -> list[str] | None:
        members = self.members.get(str(image.index))
        if members is not None:
            return [class_name(self.labels, i) for i in members]
        return None if image.label is None else [self.label(image.label)]

    def file(self, image: ImageRecord) -> str | None:
        """The file of an image, where the data are files and the atlas knows them."""
        return self.files.get(str(image.index))


def document(atlas: Atlas, name: str, otherwise: Any) -> Any:
    """A document of the atlas; `otherwise` where there is none or it is damaged."""
    try:
        return atlas.document(name)
    except AtlasError:
        return otherwise


def _last(atlas: Atlas, classes: int) -> str | None:
    """The last layer, if it has a unit for each class: atlases of format 1 say no more."""
    last = next(reversed(atlas.layers()), None)
    return last.name if last is not None and tuple(last.shape) == (classes,) else None
