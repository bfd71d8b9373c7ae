"""What a command about a network, its data and its atlas needs; how an answer is told."""

import json
from pathlib import Path

from rich.markup import escape

from phosphene import circuits
from phosphene.atlas import Atlas
from phosphene.cli import options
from phosphene.cli.consent import permit
from phosphene.cli.described import Described
from phosphene.cli.output import (
    check_picture,
    console,
    in_characters,
    say,
    warn,
    write_new,
)
from phosphene.errors import SettingError
from phosphene.probes.question import Question
from phosphene.results import Result, in_format, sheet
from phosphene.study.asking import Kept, keep, put
from phosphene.study.source import Source, find_source


def source(
    target: str,
    model: str | None,
    data: str | None,
    seed: int,
    device: str,
    trust: bool,
    told: Described,
) -> Source:
    """The network and data that the shared options describe."""
    return find_source(
        target,
        model=model,
        data=data,
        source=told.source,
        device=options.device(device),
        seed=seed,
        make=told.network,
        permit=lambda spec, atlas: permit(spec, atlas, trust),
        tell=lambda text: say(escape(text)),
        warn=warn,
    )


def answer(
    subject: Source, question: Question, out: Path | None, graph: Path | None = None
) -> None:
    """Put the question, keep the answer in an atlas, and tell it; also as a `graph`."""
    check_picture(out)
    if graph is not None and graph.suffix not in {".graphml", ".json"}:
        raise SettingError(f"--graph {graph} is no graph file; end it in .graphml or .json")
    _ = subject.network  # whoever has to be asked for consent is asked before the bar
    if question.rests_on_data(subject):
        _ = subject.data
    if subject.atlas is None:
        found = put(question, subject)
    else:
        with Atlas.build(subject.atlas) as atlas:
            found = keep(atlas, subject, question)
    name = found.record.name if isinstance(found, Kept) else question.kind
    _tell(found, out or Path(f"{name}.png"), named=out is not None, kept=_kept(found, subject))
    if graph is not None:
        say(f"Its graph is in [b]{circuits.graph(found.to_json()).save(graph)}[/]")


def _kept(found: Result, subject: Source) -> str:
    """Where the answer is kept, and since when."""
    if not isinstance(found, Kept):
        return ""
    if found.fresh:
        return f" and kept in {subject.atlas}"
    return f"; kept in {subject.atlas} since {found.job.finished[:16].replace('T', ' ')}"


def _tell(found: Result, wanted: Path, *, named: bool, kept: str) -> None:
    """Write the figure and the numbers beside it, and print the words."""
    image, ours = sheet(found), named and wanted.exists()
    path = write_new(wanted, in_format(image, wanted.suffix), replace=ours)
    numbers = json.dumps(found.to_json(), indent=1).encode()
    write_new(path.with_suffix(".json"), numbers, replace=ours)
    if path != wanted:
        kept += f"; {wanted} was there and is left as it was"
    if console.is_terminal:
        console.print(in_characters(image, min(console.width, 120)))
    console.print(found.summary, highlight=False, soft_wrap=True, markup=False)
    say(f"Drawn to [b]{path}[/]{kept}")
