"""Keep what probes found beside the study of the same network."""

import io
import time
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from phosphene.atlas import Atlas, ProbeRecord, claim, job_key
from phosphene.errors import AtlasMismatchError
from phosphene.network import Network
from phosphene.results import Result, sheet
from phosphene.study.job import PROBE

POLL_SECONDS = 0.1
"""How long to wait before looking whether another has done the work."""


def keep_probe(
    atlas: Atlas,
    network: Network,
    kind: str,
    title: str,
    ask: Callable[[], Result],
    *,
    params: Mapping[str, Any],
    seed: int | None = None,
    data: str = "",
    draw: Callable[[Any], Image.Image] = sheet,
) -> ProbeRecord:
    """Put a question once and keep the answer in the atlas; from then on it is read from there.

    The answer belongs to `kind`, `params`, `seed`, the network and `data`, the fingerprint of
    the data it rests on. `draw` makes its figure.

    Raises:
        AtlasMismatchError: the atlas is about another network.
    """
    require_of(atlas, network)
    asked = {"probe": kind, **params}
    key = job_key(PROBE, asked, seed, network.fingerprint, data)
    name = f"{kind}-{key[:8]}"
    while not atlas.done(key):
        with claim(atlas, key, PROBE) as ours:
            if not ours:  # somebody is just putting the same question
                time.sleep(POLL_SECONDS)
            elif not atlas.done(key):
                with atlas.job(key, PROBE, title, asked, seed) as writer:
                    answer = ask()
                    figures = answer.to_json()
                    drawn = _png(draw(answer))
                    writer.add(ProbeRecord(name, kind, title, answer.summary, figures, drawn))
    return atlas.probe(name)


def require_of(atlas: Atlas, network: Network) -> None:
    """Raise `AtlasMismatchError` if the atlas is about another network, or other weights."""
    known = atlas.document("network", None)
    if known is not None and known["fingerprint"] != network.fingerprint:
        raise AtlasMismatchError(
            f"{atlas.path} holds the study of another network (or other weights): "
            f"{known['name']}. Give the weights it was built with, or another atlas"
        )


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
