"""What can be said of a layer and of a unit, in plain words."""

from phosphene.atlas import LayerRecord, UnitRecord
from phosphene.figures.views.layer import LayerView
from phosphene.words import number, percent, plural, scaled

_LAYOUTS = {
    "channels_last": "The network itself has the channels last.",
    "tokens": "The network itself has the places as a row of tokens.",
    "token": "It is one token of the network’s row.",
    "flat_maps": "The network itself has each map as one row.",
    "signal": "The network itself has them as a signal, in one dimension.",
    "states": "They are the last states of a recurrent layer.",
    "two_sided": "The network itself has one score z for two classes; theirs are −z/2 and z/2.",
    "two_shares": "The network itself has one share p for two classes; theirs are 1 − p and p.",
}


def cost_and_layout(layer: LayerRecord) -> str:
    """What a layer costs, and how the network has its values where that is unusual."""
    cost = layer.multiply_adds
    said = [f"{scaled(cost)} multiply-adds for one image."] if cost else []
    return " ".join([*said, _LAYOUTS.get(layer.layout or "", "")]).strip()


def not_shown(layer: LayerView) -> str:
    """Why not all units of a layer are shown; nothing where they are."""
    shown, units = len(layer.examined), layer.record.units
    chosen = layer.view.document("chosen", {}).get(layer.name, range(units))
    said = []
    if len(chosen) < units:
        of = plural(units, "unit")
        said.append(f"{len(chosen):,} of {of} are shown, as was chosen; all are measured.")
    if shown < len(chosen):
        said.append(
            f"The study was stopped: of {plural(len(chosen), 'unit')} {shown:,} can be shown "
            "so far. Run `phosphene build` again as before and it goes on; then export again."
        )
    return " ".join(said)


def about_real(record: UnitRecord) -> str:
    """What the strongest real images are to a unit; not such where it never fires."""
    if record.firing_rate > 0:
        return "Strongest real images"
    return "The real images that come closest"


def about_unit(layer: LayerView, record: UnitRecord) -> list[str]:
    """What the statistics say about a unit."""
    images = plural(sum(record.histogram_counts), "image")
    if record.firing_rate == 0:
        said = _never_fires(layer, record, images)
    else:
        said = [
            f"Fires on {percent(record.firing_rate)} of {images}; "
            f"its largest response is {number(record.maximum)}."
        ]
    if record.preferred_class is not None and record.firing_rate > 0:
        name = layer.view.names.label(record.preferred_class)
        chosen = "" if record.selectivity is None else f" {number(record.selectivity)}"
        said.append(f"Responds most to class {name}, selectivity{chosen}.")
    if record.twin is not None:
        said.append(f"Unit {record.twin} responds nearly alike.")
    return said


def _never_fires(layer: LayerView, record: UnitRecord, images: str) -> list[str]:
    drawn = layer.view.atlas.pictures(record.layer, record.unit)
    woken = [picture.activation for picture in drawn if not picture.silent]
    if not woken:
        return [f"Never fires: none of {images} brings its response above zero."]
    return [
        f"Never fires on these images: none of {images} brings its response above zero.",
        f"The picture made for it reaches an activation of {number(max(woken))}.",
    ]
