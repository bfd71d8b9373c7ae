"""An atlas as pages and figures read it, part by part, leaving out what is damaged."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from phosphene.atlas import (
    Atlas,
    ExampleRecord,
    ImageRecord,
    Job,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
)
from phosphene.errors import AtlasError, DamagedError, UnfinishedAtlasError
from phosphene.figures.views.names import Names, document
from phosphene.figures.views.rules import GUIDED, UNTOLD, MapRule

MOST_IMAGES = 512


class AtlasView:
    """What is asked of an atlas while a page, a figure or a site is made, each thing read once.

    Raises:
        UnfinishedAtlasError: the study has not come as far as anything to show.
        TruncatedAtlasError: what the atlas says of its network is no description of one.
    """

    def __init__(self, atlas: Atlas) -> None:
        require_begun(atlas)
        self.atlas = atlas
        network = atlas.document("network")
        self.names = Names.of(atlas, network)
        self.network: Mapping[str, Any] = network
        self.kept: dict[str, object] = {}
        """What is kept of its layers, by their names: see `LayerView.of`."""
        self.image = lru_cache(maxsize=MOST_IMAGES)(self._image)

    @cached_property
    def layers(self) -> tuple[LayerRecord, ...]:
        """All layers, in the order the network runs them."""
        return self.atlas.layers()

    @cached_property
    def probes(self) -> list[ProbeRecord]:
        """The probes that can be told, with how they were asked."""
        return [probe for probe in self.atlas.probes() if self.made(probe) is not None]

    def document(self, name: str, otherwise: Any = None) -> Any:
        """A document of the atlas; `otherwise` where there is none or it is damaged."""
        return document(self.atlas, name, otherwise)

    def made(self, record: ProbeRecord | PictureRecord | ExampleRecord) -> Job | None:
        """The job that made a record; None where its note is damaged."""
        try:
            return self.atlas.provenance(record)
        except DamagedError:
            return None

    def rule(self, key: str) -> MapRule:
        """How the job of that key made its maps."""
        try:
            told = self.atlas.document(f"rule {key}")
        except DamagedError:
            return UNTOLD
        except AtlasError:
            return GUIDED
        return MapRule(**told)

    def _image(self, index: int) -> ImageRecord | None:
        """An image of the data; None where it is damaged."""
        try:
            return self.atlas.image(index)
        except DamagedError:
            return None


def require_begun(atlas: Atlas) -> None:
    """Raise `UnfinishedAtlasError` unless the pass over the data has been made."""
    none = object()  # a document may be null
    described = all(document(atlas, name, none) is not none for name in ("network", "data"))
    if described and any(atlas.units(layer.name) for layer in atlas.layers()):
        return
    for damage in atlas.damaged():
        raise damage.error(atlas.path)
    failed = [f' "{j.title}" ended with {j.error}.' for j in atlas.jobs() if j.state == "failed"]
    raise UnfinishedAtlasError(
        f"the study in {atlas.path} is unfinished: nothing is known of its units yet."
        f"{failed[-1] if failed else ''} "
        "Run the command that began it once more, `phosphene build`, and it goes on from there"
    )
