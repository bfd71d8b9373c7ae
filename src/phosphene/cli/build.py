"""`phosphene build`: a network and pictures become an atlas."""

import time
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from phosphene.canvas import Chosen, Description
from phosphene.circuits.general import K
from phosphene.cli import options
from phosphene.cli.arguments import Device, Model, Seed
from phosphene.cli.chosen import of_classes
from phosphene.cli.consent import permit
from phosphene.cli.described import Described, describes
from phosphene.cli.finishing import next_step, tell_findings
from phosphene.cli.following import tell_reading
from phosphene.cli.output import say, warn, warned
from phosphene.cli.plausible import warn_implausible
from phosphene.cli.pricing import confirmed, settled, tell_promise
from phosphene.data import load_data, resize_of
from phosphene.errors import SettingError
from phosphene.precisions import precision_of
from phosphene.progress import follow
from phosphene.study import CHANNELS, NEURONS, Settings, Study, build, decided
from phosphene.study.consent import remember
from phosphene.study.engines import engine_of
from phosphene.study.finding import FROM, seen_from
from phosphene.words import printable
from phosphene.zoo.specs import trained, untrained


@describes
def build_command(
    model: Model,
    out: Annotated[Path, typer.Option(help="The atlas to write, or to go on with.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, mnist:FOLDER[:train|test], a folder of images, "
            "shards/{000..119}.tar, *.parquet, any of these at s3://…, or a factory. Default: "
            "what weights made by `train` were trained on."
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="Only these layers: conv1,fc*. * and ? are wild. Repeatable."),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option(
            help="Show only these units of the layers named: conv2:0-9,conv2:17, or *:0-9 of each "
            "layer. All are measured. Repeatable."
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(help="Show only these classes, by name: zebra,flamingo. Repeatable."),
    ] = None,
    canvas: Annotated[
        str,
        typer.Option(
            help=f"How whole pictures are held: {', '.join(Description.named())}. "
            "Chosen is by the data."
        ),
    ] = Chosen.kind,
    steps: Annotated[int, typer.Option(help="Steps of each picture, at most.")] = 256,
    precision: Annotated[
        str,
        typer.Option(
            help="What the network is computed in while pictures are drawn: float32, or bfloat16, "
            "which is faster for large pictures where the processor multiplies it."
        ),
    ] = "float32",
    size: Annotated[
        str | None,
        typer.Option(
            help="Of channel pictures, 128 or 160x224 (height x width), where a layer takes it. "
            "Default: three receptive fields, at most the input."
        ),
    ] = None,
    neurons: Annotated[
        bool, typer.Option(help="Also draw the neuron in the middle of each map.")
    ] = True,
    examples: Annotated[int, typer.Option(help="Strongest real pictures to keep per unit.")] = 9,
    edges: Annotated[
        int,
        typer.Option(help="Strongest parts and wholes to keep per unit, measured; 0 for none."),
    ] = K,
    workers: Annotated[
        int, typer.Option(help="Processes that read images ahead; 0 reads in this one.")
    ] = 0,
    on: Annotated[
        str,
        typer.Option(
            help="Who computes: here, processes:N of this machine, ray, or ray://HOST:PORT. This "
            "process alone writes."
        ),
    ] = "here",
    replace_other: Annotated[
        bool, typer.Option("--replace", help="Drop what other settings made in this atlas.")
    ] = False,
    part: Annotated[
        str | None,
        typer.Option(
            help="Only look at part of the data, 2/3 for the second of three, as other machines do "
            "at theirs; `phosphene merge` makes one atlas of all parts."
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only tell what it will cost: time, memory, size of the file."),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Fit into this time, such as 10m or 1h30m, with fewer steps, fewer units shown, "
            "smaller pictures."
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    *,
    told: Described,
) -> None:
    """Study a network and write an atlas: one file with everything that was found.

    [b]phosphene build model.py:make --weights w.safetensors --data photos/ --out net.atlas[/]

    Every job is kept as it ends. Stopped and started again, the build goes on where it was.
    """
    if steps < 1:
        raise SettingError(f"--steps {steps}: a picture is drawn in steps; at least 1 is needed")
    engine, most = engine_of(on), options.seconds(budget)
    held = Description.from_json({"canvas": canvas})
    paced: dict[str, Any] = {"steps": steps, "precision": precision_of(precision)}
    share = options.part(part)
    if share and (plan or budget):
        raise SettingError("--part is a part of the pass alone, which has no price of its own")
    network = told.network(model, options.device(device))
    if alarm := untrained(model, network, told.weights):
        warn(alarm)
    data = _data(model, told.weights, data)
    pictures = load_data(
        data, network.input.channels, network.input.size, resize=resize_of(told.resize)
    )
    for told_of in ("passed_over", "remark"):
        if words := getattr(pictures, told_of, ""):
            say(escape(f"{printable(data)}: {words}"))
    network = decided(network, pictures)
    for spec in (model, data):  # run by the person's own word, and so later from this atlas too
        remember(spec)
    recipes = [replace(CHANNELS, canvas=held, size=options.size(size), **paced)]
    if neurons:
        recipes.append(replace(NEURONS, **paced))
    settings = Settings(
        options.patterns(layers),
        tuple(recipes),
        examples=examples,
        seed=seed,
        workers=workers,
        edges=edges,
        units=(*options.patterns(units), *of_classes(network, classes)),
    )
    source = {"model": model, "data": data, FROM: seen_from(out)} | told.source
    began = time.monotonic()
    with warned():
        study = Study(network, pictures, settings, source)
        study, price = settled(study, out, engine, plan, most)
    if price is not None and (plan or not (budget or confirmed(price))):
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    tell_reading(study)
    if study.vocabulary.shared:
        warn_implausible(network, study.data, others=not told.normalised)
    left = inf if most is None else max(0.0, most - (time.monotonic() - began))
    with warned():
        last = follow(
            build(
                study, out, replace=replace_other, on=engine, part=share, price=price, seconds=left
            )
        )
    if share is not None:
        say("\nWith the other parts: [b]phosphene merge … -o WHOLE[/], then this build --out WHOLE")
        return
    if last is not None and last.done < last.total:
        say(f"{last.title}: the same command goes on.")
    tell_findings(out)
    tell_promise(study, out)
    say(f"\n{next_step(out)}")


def _data(model: str, weights: Path | None, given: str | None) -> str:
    """The data to study: what was given, else what the weights say they were trained on."""
    known = trained(weights or model)
    if given is None and (known is None or known.data is None):
        raise SettingError("a study needs pictures: give --data digits, mnist:FOLDER, or a folder")
    if given is not None:
        return given
    told = str(known.data if known else "")
    permit(told, weights or Path(model), trust=None)
    return told
