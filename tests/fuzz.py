"""Atlases damaged in every way a disk or a download can, and what must hold of each.

Whatever was done to the file: reading ends, in words where something is wrong and never in a
traceback; nothing is handed out that was not written; and what differs from what was written is
not called whole. `python tests/fuzz.py 10000` tries as many and counts what it met.
"""

import random
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.atlas import (
    Atlas,
    Correlated,
    ExampleRecord,
    Finding,
    ImageRecord,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
    Skipped,
    UnitRecord,
    verify,
)
from phosphene.cli.layer_table import table_of_atlas
from phosphene.errors import AtlasError, NetworkError
from phosphene.figures import export_site, layer_sheet, png_bytes, unit_sheet
from phosphene.network import Input

UNITS = 3
SECONDS = 20.0
"""More than any variant takes, by far, also on a busy machine."""


def small_atlas(
    path: Path,
    fingerprint: str = "0f" * 16,
    data: str = "",
    image: tuple[int, int, int] = (3, 9, 9),
) -> Path:
    """One of everything that an atlas holds, with what the pages read; images are `c h w`."""
    made = np.random.default_rng(0)
    with Atlas.build(path) as atlas:
        with atlas.job("describe", "describe", "Describe") as job:
            input = Input(3, (9, 9)).to_json() | {"height": 9, "width": 9}
            labels = ["cat", "dog", "naïve"]
            job.document(
                "network",
                {
                    "name": "Net",
                    "input": input,
                    "labels": labels,
                    "parameters": 99,
                    "fingerprint": fingerprint,
                },
            )
            job.document(
                "data",
                {
                    "name": "few",
                    "note": "A few.",
                    "count": 4,
                    "classes": labels,
                    "fingerprint": data,
                },
            )
            evaluation = {
                "count": 4,
                "accuracy": 0.75,
                "top5": None,
                "confusion": [[1, 0, 0], [0, 2, 1], [0, 0, 0]],
                "most_confused": [{"true": 1, "predicted": 2, "count": 1}],
                "examples": [0, 1],
                "errors": [2],
            }
            job.document("evaluation", evaluation)
            job.arrays("spectrum", {"level": made.random((3, 9, 9)), "axes": np.eye(3)})
            job.document("top conv", {"values": [[2.0, 1.0]] * 3, "images": [[0, 1]] * 3})
            job.document("source", {"model": "os:getcwd", "data": "digits"})
            job.add(Skipped("broken.jpg", "truncated"), Finding(0, "units", "All fire.", {"n": 3}))
            job.add(
                *(ImageRecord(i, i % 3, 1, 0.75, made.random(image)) for i in range(4)),
            )
            for position, name in enumerate(("conv", "fc")):
                shape = (UNITS, 4, 4) if name == "conv" else (UNITS,)
                job.add(LayerRecord(name, position, "Conv2d", shape, UNITS, (3, 3), False, True))
                job.add(*(_unit(name, unit, made) for unit in range(UNITS)))
        for name in ("conv", "fc"):
            with atlas.job(f"examples {name}", "examples", f"Examples of {name}") as job:
                job.document(f"rule examples {name}", {"rule": "guided", "reason": None})
                for unit in range(UNITS):
                    job.add(*(_example(name, unit, rank, made) for rank in range(2)))
            with atlas.job(f"pictures {name}", "pictures", f"Pictures of {name}") as job:
                job.add(*(_picture(name, unit, made) for unit in range(UNITS)))
        with atlas.job("probe", "probe", "Fooling", {"steps": 5}, 3) as job:
            sheet = png_bytes(made.integers(0, 255, (40, 60, 3), dtype=np.uint8))
            job.add(ProbeRecord("fool-1", "fool", "Fooling", "1 of 1.", {"steps": [1, 2]}, sheet))
    with closing(sqlite3.connect(path)) as connection:
        # Small pages, or most of so small a file is room that nothing stands in.
        connection.executescript("PRAGMA page_size = 512; VACUUM;")
    return path


def _unit(layer: str, unit: int, made: np.random.Generator) -> UnitRecord:
    weights = made.normal(size=(3, 3, 3)).astype(np.float32) if layer == "conv" else None
    return UnitRecord(
        layer=layer,
        unit=unit,
        firing_rate=unit / 4,
        mean=0.1,
        deviation=1 / 3,
        maximum=2.5,
        histogram_counts=(1, 0, 3),
        histogram_low=-0.5,
        histogram_width=0.1,
        class_means=(0.1, 0.2, 0.3),
        preferred_class=1,
        selectivity=0.5,
        twin=(unit + 1) % UNITS,
        twin_correlation=0.99,
        weights=weights,
        correlated={
            layer: (Correlated((unit + 1) % UNITS, 0.99), Correlated((unit + 2) % UNITS, 0.5)),
            "fc" if layer == "conv" else "conv": (Correlated(unit, 0.25),),
        },
    )


def _example(layer: str, unit: int, rank: int, made: np.random.Generator) -> ExampleRecord:
    box = (2, 2, 5, 5) if layer == "conv" else (0, 0, 9, 9)
    size = box[2] - box[0]
    guided = made.normal(size=(3, size, size)).astype(np.float32)
    place = (1, 1) if layer == "conv" else (None, None)
    return ExampleRecord(layer, unit, rank, rank, 2.0 - rank, *place, box, guided)


def _picture(layer: str, unit: int, made: np.random.Generator) -> PictureRecord:
    return PictureRecord(
        layer=layer,
        unit=unit,
        kind="channel",
        canvas="bounded",
        picture=made.random((3, 9, 9)),
        activation=3.0,
        strongest_real=2.0,
        silent=unit == 0,
        settings={"steps": 4},
        attempts=("noise",),
        alpha=np.linspace(0, 1, 9).reshape(3, 3),
    )


def contents(atlas: Atlas) -> Iterator[tuple[str, Any]]:
    """Everything that an atlas hands out, each under a name that tells it from the rest."""
    for name in atlas.documents():
        yield from _asked("document", lambda name=name: [(name, atlas.document(name))])
    yield from _asked("arrays", lambda: sorted(atlas.arrays("spectrum").items()))
    yield from (("job", job) for job in atlas.jobs())
    yield from (("finding", finding) for finding in atlas.findings())
    yield from (("skipped", skipped) for skipped in atlas.skipped())
    yield from (("probe", probe) for probe in atlas.probes())
    for index in sorted(atlas.kept()):
        yield from _asked("image", lambda index=index: [atlas.image(index)])
    for layer in atlas.layers():
        yield "layer", layer
        for asked in (atlas.units, atlas.pictures):
            yield from _asked(asked.__name__, lambda asked=asked: asked(layer.name))  # noqa: B023
        for unit in range(layer.units):
            yield from _asked(
                "example",
                lambda unit=unit: atlas.examples(layer.name, unit),  # noqa: B023
            )


def _asked(name: str, question: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """One question's answers; what is damaged, or what goes with a layer that is, is in words."""
    try:
        yield from ((name, answer) for answer in question())
    except (AtlasError, NetworkError):
        return


def told(value: Any) -> str:
    """A record as text, arrays by value, so that two that differ have different texts."""
    if isinstance(value, tuple):
        return repr(value)
    cells = ((field.name, getattr(value, field.name)) for field in fields(value))
    return repr([(name, v.tolist() if isinstance(v, np.ndarray) else v) for name, v in cells])


def damaged(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    """A variant of a file, and what was done to it."""
    data, page = bytearray(whole), int.from_bytes(whole[16:18], "big")
    pages = len(whole) // page
    kind = chance.choices(
        ("bit", "bits", "header", "zeroed page", "repeated page", "swapped pages", "noise",
         "cut", "cut and filled", "lost bytes", "new bytes", "text"),
        (10, 4, 2, 2, 2, 1, 2, 1, 1, 1, 1, 2),
    )[0]  # fmt: skip
    one, other = (chance.randrange(pages) * page for _ in range(2))
    at = chance.randrange(len(data))
    if kind in {"bit", "bits", "header"}:
        end = 100 if kind == "header" else len(data)
        for _ in range(1 if kind == "bit" else chance.randrange(1, 20)):
            data[chance.randrange(end)] ^= 1 << chance.randrange(8)
    elif kind == "zeroed page":
        data[one : one + page] = bytes(page)
    elif kind == "repeated page":
        data[one : one + page] = data[other : other + page]
    elif kind == "swapped pages":
        data[one : one + page], data[other : other + page] = (
            data[other : other + page],
            data[one : one + page],
        )
    elif kind == "noise":
        data[at : at + 64] = chance.randbytes(len(data[at : at + 64]))
    elif kind == "cut":
        del data[at:]
    elif kind == "cut and filled":
        data[at:] = bytes(len(data) - at)
    elif kind == "lost bytes":
        del data[at : at + chance.randrange(1, 100)]
    elif kind == "new bytes":
        data[at:at] = chance.randbytes(chance.randrange(1, 100))
    elif kind == "text":
        word = chance.choice((b"conv", b"labels", b"steps", b"IHDR", b"cat", b"CREATE", b"[["))
        data = bytearray(bytes(data).replace(word, word[::-1]))
    return kind, bytes(data)


def try_variant(path: Path, written: frozenset[str], site: Path | None, sheets: bool) -> str:
    """Do with a damaged atlas all that commands do; how it ended, or an AssertionError."""
    start, complete, read = time.monotonic(), False, Counter[str]()
    try:
        with Atlas.open(path) as atlas:
            for name, record in contents(atlas):
                read[f"{name} {told(record)}"] += 1
            table_of_atlas(atlas.layers())
            complete = not atlas.damaged()
        false = set(read) - written
        assert not false, f"handed out what was not written: {false}"
    except (AtlasError, NetworkError):
        pass
    for look in ([_export(site)] if site else []) + ([_sheets] if sheets else []):
        with suppress(AtlasError, NetworkError), Atlas.open(path) as atlas:
            look(atlas)
    try:
        verdict = verify(path)
    except AtlasError:
        ended = "not opened"
    else:
        ended = "whole" if verdict.whole else "damaged"
        assert not verdict.whole or set(read) == written, "called whole and is not"
        if ended == "damaged" and complete:
            ended = "read as before" if set(read) == written else "less was read, without a word"
    assert time.monotonic() - start < SECONDS, "took too long"
    return ended


def _export(site: Path) -> Callable[[Atlas], object]:
    return lambda atlas: export_site(atlas, site)


def _sheets(atlas: Atlas) -> None:
    unit_sheet(atlas, "conv", 1)
    layer_sheet(atlas, "conv")


def main(count: int, seed: int = 0) -> None:
    """Try `count` variants and print what was met."""
    met: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        whole = small_atlas(Path(folder, "whole.atlas")).read_bytes()
        with Atlas.open(Path(folder, "whole.atlas")) as atlas:
            written = frozenset(f"{name} {told(record)}" for name, record in contents(atlas))
        path = Path(folder, "variant.atlas")
        for number in range(seed, seed + count):
            kind, data = damaged(whole, random.Random(number))
            path.write_bytes(data)
            site = Path(folder, "site") if number % 3 == 0 else None
            try:
                met[kind, try_variant(path, written, site, number % 50 == 0)] += 1
            except Exception as error:
                met[kind, f"FAULT {type(error).__name__}"] += 1
                print(f"variant {number} ({kind}): {type(error).__name__}: {error!s:.300}")
                if "-v" in sys.argv:
                    traceback.print_exc()
    ends = sorted({end for _, end in met})
    print(f"{'':16}" + "".join(f"{end:>32}" for end in ends))
    for kind in sorted({kind for kind, _ in met}):
        print(f"{kind:16}" + "".join(f"{met[kind, end]:>32,}" for end in ends))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
