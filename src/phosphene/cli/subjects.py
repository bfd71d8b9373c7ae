"""What a probe command is about: a network, its data, and where the answer goes.

All probe commands share the options that say so. `about` gives them to a command and hands it
the `Subject` they make.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from jaxtyping import Float
from PIL import Image
from rich.markup import escape
from torch import Tensor
from torch.utils.data import Dataset, Subset

from phosphene.atlas import Atlas
from phosphene.canvas import Spectrum
from phosphene.cli import consent, options
from phosphene.cli.described import Described, describes
from phosphene.cli.finding import found_data, found_model, places
from phosphene.cli.model import is_weights, require_weights, trained, warn_untrained
from phosphene.cli.output import (
    check_picture,
    console,
    errors,
    in_characters,
    in_format,
    say,
    write_new,
)
from phosphene.data import (
    Example,
    Resize,
    batches,
    fingerprint,
    load_data,
    read,
    read_image,
    resize_of,
)
from phosphene.data.dataset import length
from phosphene.errors import DataError, SpecError, TruncatedAtlasError
from phosphene.network import Network
from phosphene.network.loading.catalogue import DEFAULT
from phosphene.probes.strokes import border
from phosphene.results import Result, sheet
from phosphene.study import agree, keep_probe
from phosphene.units import Unit
from phosphene.zoo import ARTICLES

Target = Annotated[
    str,
    typer.Argument(
        metavar="ATLAS|MODEL",
        help="An atlas, which keeps the answer too, file.py:factory, timm:NAME, weights made by "
        "`train`, or hvass.",
        show_default=False,
    ),
]
_SHARED: dict[str, tuple[Any, Any]] = {
    "model": (
        Annotated[
            str | None,
            typer.Option(help="How to make an atlas's network, if not as when it was built."),
        ],
        None,
    ),
    "data": (
        Annotated[
            str | None,
            typer.Option(help="digits, mnist:FOLDER, a folder. Default: the atlas's."),
        ],
        None,
    ),
    "trust": (
        Annotated[
            bool, typer.Option("--trust", help="Run the code that the atlas names, if it is asked.")
        ],
        False,
    ),
    "seed": (Annotated[int, typer.Option(help="All random numbers follow from it.")], 0),
    "device": (Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")], "auto"),
    "out": (
        Annotated[
            Path | None,
            typer.Option(help="The picture to write; its figures go beside it as JSON."),
        ],
        None,
    ),
}


@dataclass(frozen=True)
class Subject:
    """A network and its data, as the options of a command say; `atlas` keeps the answers.

    `given` are the parts of `source` that the person named; what the atlas names runs with consent.
    """

    target: str
    source: Mapping[str, str]
    atlas: Path | None
    known: Mapping[str, Any]
    device: torch.device
    seed: int
    out: Path | None
    told: Described
    given: frozenset[str] = frozenset()
    trust: bool = False

    @cached_property
    def network(self) -> Network:
        """The network itself."""
        return self.sibling(self.source.get("weights"))

    def sibling(self, weights: str | Path | None) -> Network:
        """A network made as this one is, with other weights."""
        if "model" not in self.source:
            raise SpecError(
                f"{self.target} does not say how its network is made; give --model file.py:factory "
                "and --weights FILE"
            )
        path = None if weights is None else self._found(weights)
        described = self.known.get("network")
        model = found_model(self.source["model"], self.atlas, self.source)
        self._permit("model", model)
        network = self.told.network(model, self.device, described, path)
        if described is None:
            warn_untrained(model, network, path)
            for remark in network.remarks:
                say(f"{escape(remark)}.")
        return network

    @cached_property
    def data(self) -> Dataset[Any]:
        """The pictures asked about."""
        if "data" not in self.source:
            raise SpecError("this probe needs pictures; give --data digits, mnist:FOLDER, a folder")
        recorded = self.known.get("source", {}).get("data") == self.source["data"]
        named = found_data(self.source["data"], self.atlas if recorded else None, self.source)
        self._permit("data", named)
        input = self.network.input
        data = load_data(named, input.channels, input.size, resize=self.resize)
        data, vocabulary = agree(self.network, data)
        if vocabulary.words and "network" not in self.known:  # else told when it was built
            say(f"{escape(vocabulary.words)}.")
        return data

    @property
    def resize(self) -> Resize | None:
        """How image files come to the input's size, as was said now or for the atlas."""
        return resize_of(self.source.get("resize"))

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """That of the data, where there is any; they are gone over when it is first asked for."""
        if "data" not in self.source:
            return None
        return Spectrum.measure(batch.pictures for batch in batches(self.data))

    def picture(self, image: str) -> tuple[Float[Tensor, "c h w"], int | None]:
        """A picture and its class, by its number in the data or from an image file."""
        if image.isdecimal():
            index = int(image)
            if index >= length(self.data):
                raise DataError(f"--image {index}: the data has 0 to {length(self.data) - 1}")
            item = read(self.data[index])
            if not isinstance(item, Example):
                raise DataError(f"--image {index} cannot be read: {item.reason}")
            return item.picture, item.label
        input = self.network.input
        picture = read_image(image, input.channels, input.size, self.resize)
        if "data" in self.source and input.channels == 1:
            ground = float(border(next(iter(batches(self.data, 64))).pictures.mean(0)))
            if (ground < 0.5) != (float(border(picture)) < 0.5):
                say(f"{image} is light where the data is dark; it was inverted.")
                picture = 1 - picture
        return picture, None

    def whole_picture(self, image: str) -> Float[Tensor, "c h w"]:
        """An image file in its own size."""
        return read_image(image, self.network.input.channels)

    def image_key(self, image: str) -> str:
        """What tells a picture from others: its number, or what its file holds."""
        if image.isdecimal():
            return image
        return f"{Path(image).name} ({options.file_hash(Path(image))[:12]})"

    def part(self, text: str | None) -> tuple[Dataset[Any], str]:
        """The data from:to, and how that is told in a title."""
        if text is None:
            return self.data, ""
        return Subset(self.data, options.span(text, length(self.data))), f", pictures {text}"

    def named(self, weights: Path) -> Network:
        """A network like this one with other weights, called as their file is."""
        network = self.sibling(weights)
        network.name = weights.stem
        return network

    def unit(self, text: str) -> Unit:
        """A unit as layer:number, or a class by its name."""
        if ":" in text:
            return self.network.unit(Unit.parse(text))
        logits = self.network.logits.name
        return Unit(logits, options.class_number(text, self.network.classes))

    def is_class(self, unit: Unit) -> bool:
        """Whether a unit is one of the classes."""
        return self.network.classifies and unit.layer == self.network.logits.name

    def classes(self, names: str | None) -> tuple[int, ...] | None:
        """The numbers of classes that are named, separated by commas; None for all of them."""
        if names is None:
            return None
        known = self.network.classes
        return tuple(options.class_number(name.strip(), known) for name in names.split(","))

    def answer(
        self,
        kind: str,
        title: str,
        ask: Callable[[], Result],
        *,
        on_data: bool = False,
        draw: Callable[[Any], Image.Image] = sheet,
        **params: Any,
    ) -> None:
        """Put the question, keep the answer, and tell it.

        `params` are what the answer depends on besides network and seed, and `on_data` says that
        it depends on the data as well.
        """
        check_picture(self.out)
        kept_in, name = "", kind
        if self.atlas is None:
            with errors.status(f"{title} …"):
                answer = ask()
            text, figures, image = answer.summary, answer.to_json(), draw(answer)
        else:
            with Atlas.build(self.atlas) as atlas, errors.status(f"{title} …"):
                before = {probe.name for probe in atlas.probes()}
                kept = keep_probe(
                    atlas,
                    self.network,
                    kind,
                    title,
                    ask,
                    params=params,
                    seed=self.seed,
                    data=fingerprint(self.data) if on_data else "",
                    draw=draw,
                )
                job = atlas.provenance(kept)
            text, figures, image, name = kept.text, kept.figures, kept.image, kept.name
            kept_in = f" and kept in {self.atlas}"
            if name in before:
                kept_in = f"; kept in {self.atlas} since {job.finished[:16].replace('T', ' ')}"
        wanted = self.out or Path(f"{name}.png")
        ours = self.out is not None and wanted.exists()
        path = write_new(wanted, in_format(image, wanted.suffix), replace=ours)
        numbers = json.dumps(figures, indent=1).encode()
        write_new(path.with_suffix(".json"), numbers, replace=ours)
        if path != wanted:
            kept_in += f"; {wanted} was there and is left as it was"
        if console.is_terminal:
            console.print(in_characters(image, min(console.width, 120)))
        console.print(text, highlight=False, soft_wrap=True, markup=False)
        say(f"Drawn to [b]{path}[/]{kept_in}")

    def _permit(self, part: str, spec: str) -> None:
        """Let what makes a part of the subject run, if the person named it or says so."""
        if part not in self.given:
            consent.permit(spec, self.atlas or Path(self.target), self.trust)

    def _found(self, weights: str | Path) -> str | Path:
        """The weights where they are, or beside the atlas, which may have been moved with them."""
        recorded = self.known.get("source", {}).get("weights")
        if str(weights) == DEFAULT or self.atlas is None or str(weights) != recorded:
            return DEFAULT if str(weights) == DEFAULT else require_weights(Path(weights))
        for place in places(recorded, self.atlas, self.source):
            if place.exists():
                return place
        raise SpecError(
            f"{self.atlas} holds no weights, and those it was built with are neither beside it nor "
            f"at {weights}; give --weights FILE"
        )


def subject(
    target: str,
    model: str | None,
    data: str | None,
    seed: int,
    device: str,
    out: Path | None,
    told: Described,
    trust: bool = False,
) -> Subject:
    """The subject that the shared options describe."""
    is_model = ":" in target or target.endswith(".py") or target in ARTICLES or is_weights(target)
    atlas = Path(target) if Path(target).is_file() and not is_model else None
    if atlas is None and not is_model:
        raise SpecError(
            f"there is no atlas {target}; give one, a model as file.py:factory, weights made by "
            f"`phosphene train`, or one of {', '.join(ARTICLES)}"
        )
    known: dict[str, Any] = {}
    source: dict[str, str] = {} if atlas else {"model": target}
    if atlas is not None:
        with Atlas.open(atlas) as opened:
            known = opened.documents()
        source |= _texts(atlas, known.get("source", {}))
    learnt = trained(target)
    if learnt is not None and learnt.data is not None:
        source["data"] = learnt.data
    said = {name: value for name, value in (("model", model), ("data", data)) if value is not None}
    given = frozenset(said if atlas else {"model", *said})
    source = source | said | told.source
    return Subject(
        target, source, atlas, known, options.device(device), seed, out, told, given, trust
    )


def _texts(atlas: Path, source: object) -> dict[str, str]:
    """How an atlas says its network is made; raises `TruncatedAtlasError` if it says nonsense."""
    if not isinstance(source, dict) or not all(isinstance(text, str) for text in source.values()):
        raise TruncatedAtlasError(
            f"{atlas}: its document source is not what a study writes ({source!r:.80}); "
            "`phosphene check` tells what is damaged"
        )
    return source


def about(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command`, whose first parameter is a `Subject`, the options that make one."""
    own = list(inspect.signature(command).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _SHARED.items()
    ]
    target = inspect.Parameter("target", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Target)

    def run(told: Described, **values: Any) -> None:
        chosen = {name: values.pop(name) for name in ("target", *_SHARED)}
        command(subject(**chosen, told=told), **values)

    said = inspect.Parameter("told", inspect.Parameter.KEYWORD_ONLY, annotation=Described)
    parameters = [target, *(p.replace(kind=p.KEYWORD_ONLY) for p in own), *shared, said]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return describes(run)
