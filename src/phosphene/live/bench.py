"""What the page of the bench is told; its template and script decide how it looks and works."""

from collections.abc import Iterable
from typing import Any

from phosphene.atlas import Atlas
from phosphene.attribution.gradients import METHODS
from phosphene.live.exhibits import Exhibit

_MOST_IMAGES = 2000
_SERVED = {"assets": "/assets/", "scripts": ("bench-changes.js", "bench.js"), "mailed": ""}


def bench_context(exhibit: Exhibit, others: Iterable[Exhibit] = ()) -> dict[str, Any]:
    """The network's input, its layers, what can be asked; nothing where it is not there.

    Of the `others` those stand beside it whose networks are there too.
    """
    network = exhibit.network
    if network is None:
        return _SERVED | {"exhibit": exhibit, "setting": None}
    height, width = network.input.size
    return _SERVED | {
        "exhibit": exhibit,
        "setting": {
            "name": exhibit.name,
            "channels": network.input.channels,
            "height": height,
            "width": width,
            "paper": round(255 * exhibit.paper),
            "images": list(exhibit.images[:_MOST_IMAGES]),
            "classes": len(network.classes) if network.classifies else 0,
            "output": network.logits.name if network.classifies else "",
            "absent": exhibit.absent_layers,
        },
        "layers": [layer.name for layer in network.layers.values()],
        "methods": list(METHODS),
        "others": [
            {"name": other.name, "network": other.network.name}
            for other in others
            if other is not exhibit and other.network is not None
        ],
        "classes": list(network.classes) if network.classifies else [],
        "code": _code(exhibit),
    }


def _code(exhibit: Exhibit) -> str:
    """The lines that ask the same in a notebook; nothing where the atlas says of no network."""
    with Atlas.open(exhibit.path) as atlas:
        source = atlas.document("source", {})
    if "model" not in source:
        return ""
    given = ", ".join(repr(source[key]) for key in ("model", "weights") if key in source)
    return (
        "from phosphene import guided, load_network, sheet\n\n"
        f"network = load_network({given})\n"
        'sheet(guided(network, "picture.png", "UNIT"))  # the picture that Save writes'
    )
