"""Put a question to a network: look for its answer in the atlas first, and keep it there."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import Dataset

from phosphene.atlas import Atlas, Job, ProbeRecord, job_key
from phosphene.data import fingerprint
from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.probes.question import Question, named
from phosphene.probes.subject import InMemory, Subject
from phosphene.progress import telling
from phosphene.results import Result, sheet
from phosphene.study import consent
from phosphene.study.job import PROBE
from phosphene.study.probing import keep_probe, require_of
from phosphene.study.source import find_source


@dataclass(frozen=True)
class Kept(Result):
    """An answer as an atlas keeps it; `fresh` says that it was given just now."""

    record: ProbeRecord
    job: Job
    fresh: bool = False

    @property
    def summary(self) -> str:
        """What was found."""
        return self.record.text

    def to_json(self) -> dict[str, Any]:
        """The figures of the answer."""
        return self.record.figures


@sheet.register
def kept_sheet(kept: Kept) -> Image.Image:
    """The figure that was kept."""
    return kept.record.image


def ask(
    about: Network | Atlas | str | Path,
    question: Question | str,
    *,
    data: Dataset[Any] | str | None = None,
    seed: int = 0,
    device: str = "cpu",
    trust: bool = False,
    **options: Any,
) -> Result:
    """Put `question` to a network.

    `about` is a `Network`, with its `data` where the question is about pictures; what the command
    line takes as MODEL; or an atlas, open or by its path. An atlas says how its network and data
    are made, which is code, run with consent alone (`trust`, or once run by your own word). It is
    asked first, and keeps the answer: asked again, it is read and nothing is computed. Opened to be
    read only, it is only read, and an answer that it does not have is given and not kept.

    `question` is a value such as `Fooling(towards="3,7")`, or its name with its options:
    `ask(network, "fool", towards="3,7")`.

    Raises:
        SettingError: no such question or option; there is no such atlas or network.
        ConsentError: the atlas names code that nobody trusted.
        AtlasMismatchError: `data` or weights of another network than the atlas is about.
    """
    if isinstance(question, str):
        question = named(question, **options)
    elif options:
        raise InputError(
            f"options {', '.join(options)} go with a question's name, not with a value"
        )
    if isinstance(about, Network):
        if isinstance(data, str | Path):
            raise InputError(
                f"data={data!r}: give a dataset with a Network, such as digits('test')"
            )
        return put(question, InMemory(about, data, seed=seed))
    if data is not None and not isinstance(data, str):
        raise InputError("a dataset goes with a Network; with an atlas or a model give data's name")
    path = about.path if isinstance(about, Atlas) else about
    source = find_source(
        str(path),
        data=data,
        device=device,
        seed=seed,
        permit=lambda spec, atlas: consent.permit(spec, atlas, trust),
    )
    if source.atlas is None:
        return put(question, source)
    with ExitStack() as stack:
        opened = about if isinstance(about, Atlas) else stack.enter_context(Atlas.build(path))
        return keep(opened, source, question)


def put(question: Question, subject: Subject) -> Result:
    """The answer, under the question's title for whoever watches how far it is."""
    with telling(question.title(subject)):
        return question.ask(subject)


def keep(atlas: Atlas, subject: Subject, question: Question) -> Result:
    """The answer that `atlas` keeps, given and kept now if it has none.

    What a question leaves beside its answer, such as the file of a message, is made anew where it
    is missing. An atlas that is open to be read only is not written to.

    Raises:
        AtlasMismatchError: the atlas is about another network.
    """
    network, params = subject.network, question.key(subject)
    require_of(atlas, network)
    data = fingerprint(subject.data) if question.rests_on_data(subject) else ""
    asked = {"probe": question.kind, **params}
    there = atlas.done(job_key(PROBE, asked, subject.seed, network.fingerprint, data))
    if not there and not atlas.writable:
        return put(question, subject)
    record = keep_probe(
        atlas,
        network,
        question.kind,
        question.title(subject),
        lambda: put(question, subject),
        params=params,
        seed=subject.seed,
        data=data,
    )
    if there and not question.complete(subject):
        put(question, subject)
    return Kept(record, atlas.provenance(record), fresh=not there)
