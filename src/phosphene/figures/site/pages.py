"""The pages of an atlas as HTML, for whatever place they are to stand in."""

from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from phosphene.atlas import Atlas, ProbeRecord, UnitRecord, blaming_damage
from phosphene.figures.site.contexts import layer_context, probe_context, unit_context
from phosphene.figures.site.overview import overview_context
from phosphene.figures.site.places import Alone, Place
from phosphene.figures.site.searching import search_index
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.layer import LayerView
from phosphene.figures.views.neighbours import Neighbours
from phosphene.figures.views.roster import ListedLayer, enrolled
from phosphene.version import __version__
from phosphene.words import number, percent, plural


class Pages:
    """Pages of one atlas: the same templates wherever they stand.

    `place` says what links look like and takes the images (see `Place`).
    """

    def __init__(self, view: AtlasView, place: Place) -> None:
        self.view, self.place = view, place
        self.neighbours = Neighbours(view)

    @cached_property
    def roster(self) -> Sequence[ListedLayer]:
        """All units at a glance."""
        return enrolled(self.view)

    def index(self) -> str:
        """What is searched in, as a script."""
        return search_index(self.view.names, self.roster, self.view.probes, self.place)

    def overview(self) -> str:
        """The whole atlas on one page."""
        return self._page("index.html", overview_context(self.view, self.roster))

    def layer(self, layer: LayerView) -> str:
        """All units of one layer."""
        return self._page("layer.html", layer_context(layer, self.neighbours))

    def unit(self, layer: LayerView, record: UnitRecord) -> str:
        """Everything about one unit."""
        told = unit_context(layer, record, self.neighbours, lambda: self.roster)
        return self._page("unit.html", told)

    def probe(self, probe: ProbeRecord) -> str:
        """What a probe found."""
        return self._page("probe.html", probe_context(self.view, probe))

    def other(self, source: BaseLoader, template: str, context: dict[str, Any]) -> str:
        """A page whose template is elsewhere, and stands on ours."""
        return self._rendered(_with(source).get_template(template), context)

    def _page(self, template: str, context: dict[str, Any]) -> str:
        return self._rendered(_templates().get_template(template), context)

    def _rendered(self, template: Template, context: dict[str, Any]) -> str:
        return template.render(
            **context,
            network=self.view.network,
            names=self.view.names,
            place=self.place,
        )


def unit_page(atlas: Atlas, layer: str, unit: int, place: Place | None = None) -> str:
    """The page of one unit as HTML, by default with everything in it that it shows.

    `place` gives it links and takes its images (see `Pages`).

    Raises:
        UnfinishedAtlasError: the study has not come as far as its units.
        UnknownLayerError, UnknownUnitError: the atlas has no such layer or unit.
        DamagedError, TruncatedAtlasError: what is known of it is damaged; of pictures the page
            says so.
    """
    with blaming_damage(atlas):
        view, record = AtlasView(atlas), atlas.unit(layer, unit)
        return Pages(view, place or Alone()).unit(LayerView.of(view, atlas.layer(layer)), record)


@cache
def _templates() -> Environment:
    jinja = Environment(
        loader=PackageLoader("phosphene.figures.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(number=number, percent=percent, plural=plural)
    jinja.globals.update(version=__version__)
    return jinja


@cache
def _with(source: BaseLoader) -> Environment:
    ours = _templates()
    assert ours.loader is not None, "made with one"
    return ours.overlay(loader=ChoiceLoader([ours.loader, source]))
