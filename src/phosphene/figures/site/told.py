"""Findings with links to what they speak of: units, layers, and parts of a layer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from phosphene.atlas import Finding
from phosphene.figures.views.atlas import AtlasView
from phosphene.figures.views.roster import SILENT, TWINS, Listed, ListedLayer, hidden, preferred_as
from phosphene.words import class_name, number

CLASSES = 20
"""Of so many classes the overview tells the units; of more, their own pages do."""


@dataclass(frozen=True)
class Piece:
    """A piece of a sentence; one with a layer leads to its page, or to that of its unit."""

    text: str
    layer: str | None = None
    unit: int | None = None
    part: str = ""


Sentence = Sequence[Piece]


def findings_told(
    view: AtlasView, layers: Sequence[ListedLayer]
) -> list[tuple[str, list[Sentence]]]:
    """The findings by topic, in their order, and after them the units of each class."""
    told = [
        (topic, [linked(finding, layers) for finding in group])
        for topic, group in groupby(view.atlas.findings(), key=lambda finding: finding.topic)
    ]
    classes = _classes(view, layers)
    if classes:
        after = [i for i, (topic, _) in enumerate(told, start=1) if topic == "selectivity"]
        told.insert(after[-1] if after else len(told), ("units for a class", classes))
    return told


def linked(finding: Finding, layers: Sequence[ListedLayer]) -> Sentence:
    """A finding in pieces: units by their address and what is said of a layer become links."""
    known = {layer.record.name: layer for layer in layers}
    about = known.get(str(finding.figures.get("layer")))
    pieces: list[Piece] = []
    end = 0
    for match in _pattern(known).finditer(finding.text):
        piece = _piece(match, about, known)
        if piece is not None:
            pieces += [Piece(finding.text[end : match.start()]), piece]
            end = match.end()
    return [piece for piece in [*pieces, Piece(finding.text[end:])] if piece.text]


def _pattern(known: dict[str, ListedLayer]) -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    return re.compile(
        rf"(?<![\w.:/-])(?P<layer>{names or '(?!)'}):(?P<unit>\d+)\b"
        r"|(?P<silent>[\d,]+ of [\d,]+ units never fires?)\b"
        r"|(?P<twins>[\d,]+ ha(?:s|ve) a near-duplicate)\b"
    )


def _piece(
    match: re.Match[str], about: ListedLayer | None, known: dict[str, ListedLayer]
) -> Piece | None:
    """What a match leads to; None where there is no such page, or nothing on it."""
    if match["layer"] is not None:
        unit = int(match["unit"])
        shown = any(listed.unit == unit for listed in known[match["layer"]].units)
        return Piece(match[0], match["layer"], unit) if shown else None
    if about is None:
        return None
    for part, name in ((SILENT, "silent"), (TWINS, "twins")):
        if match[name] is not None and part in about.parts:
            return Piece(match[0], about.record.name, part=part)
    return None


def _classes(view: AtlasView, layers: Sequence[ListedLayer]) -> list[Sentence]:
    """For each class the most selective unit of every layer."""
    preferred = {u.prefers for layer in layers for u in layer.units if u.prefers is not None}
    if len(preferred) > CLASSES or len(view.names.labels) > CLASSES:
        return []
    sentences: list[Sentence] = []
    for label in sorted(preferred):
        best = [
            (layer.record.name, listed)
            for layer in hidden(view, layers)
            for listed in layer.selective_for(label)[:1]
        ]
        if best:
            sentences.append([_named(view, layers, label), Piece(": "), *_listing(best)])
    return sentences


def _named(view: AtlasView, layers: Sequence[ListedLayer], label: int) -> Piece:
    """A class of the data, leading to the output of its name."""
    name = class_name(view.names.labels, label)
    for layer in layers:
        if layer.record.name == view.names.output:
            for listed in layer.units:
                if preferred_as(view, listed.unit) == label:
                    return Piece(name, layer.record.name, listed.unit)
    return Piece(name)


def _listing(best: Sequence[tuple[str, Listed]]) -> Iterator[Piece]:
    for i, (layer, listed) in enumerate(best):
        end = "." if i == len(best) - 1 else ", "
        yield Piece(f"{layer}:{listed.unit}", layer, listed.unit)
        yield Piece(f" ({number(listed.selectivity or 0)}){end}")
