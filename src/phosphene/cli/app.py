"""The commands."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from phosphene.atlas import Atlas, blaming_damage
from phosphene.canvas import Chosen, Description
from phosphene.cli import consent, options
from phosphene.cli.arguments import Device, Model, Seed
from phosphene.cli.checking import check, tell_damage
from phosphene.cli.chosen import of_classes
from phosphene.cli.demonstration import demo
from phosphene.cli.described import Described, describes
from phosphene.cli.finding import FROM, seen_from
from phosphene.cli.finishing import tell_findings, write_site
from phosphene.cli.layer_table import table_of_atlas, table_of_network
from phosphene.cli.model import is_weights, trained, warn_untrained
from phosphene.cli.output import (
    follow_study,
    follow_training,
    print_whole,
    say,
    tell_reading,
)
from phosphene.cli.plausible import warn_implausible
from phosphene.cli.probe import probe
from phosphene.cli.showing import show
from phosphene.data import load_data, resize_of
from phosphene.errors import SpecError, nearest
from phosphene.network import Network
from phosphene.study import CHANNELS, NEURONS, Settings, Study, build, decided
from phosphene.training import accuracy, train
from phosphene.words import percent, printable
from phosphene.zoo import ARTICLES, Trained

app = typer.Typer(
    help="What does a unit of a trained vision network really look for? "
    "[b]phosphene[/] trains, studies and shows: every unit of every layer, in pictures.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(probe, name="probe", rich_help_panel="Look")

app.command(rich_help_panel="Look")(show)
app.command(rich_help_panel="Look")(check)


app.command(rich_help_panel="Start here")(demo)


@app.command("train", rich_help_panel="Your own network")
def train_command(
    data: Annotated[str, typer.Argument(help="digits, mnist:FOLDER, or a folder of images.")],
    out: Annotated[Path, typer.Option(help="The weights file to write (safetensors).")],
    network: Annotated[str, typer.Option(help=f"One of {', '.join(ARTICLES)}.")] = "hvass",
    classes: Annotated[
        str | None, typer.Option(help="Only these classes, by name: 1,7. Default: the article's.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Default: the article's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: the article's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Default: the article's.")] = None,
    widths: Annotated[str | None, typer.Option(help="Channels of the convolutions: 16,36.")] = None,
    dense: Annotated[str | None, typer.Option(help="Units of the hidden dense layers.")] = None,
    shift: Annotated[
        float, typer.Option(help="Train on randomly shifted copies, up to this share of the side.")
    ] = 0.0,
    size: Annotated[
        str, typer.Option("--input", help="Channels x height x width of the pictures.")
    ] = "1x28x28",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train one of the articles' networks on DATA and save its weights.

    Each comes with its article's optimiser, batches and steps, and holds out what the article does
    for validation after each epoch. Stopped and started again, the training goes on where it was.
    """
    if network not in ARTICLES:
        raise SpecError(f"no network {network!r}; {nearest(network, ARTICLES, listing=True)}")
    shape = options.shape(size)
    article = ARTICLES[network]
    pictures, validation = options.split(
        load_data(data, shape[0], shape[1:], "train"), classes, article
    )
    test = options.of_classes(load_data(data, shape[0], shape[1:], "test"), classes, article)
    settings = options.widths(article.factory, widths=widths, dense=dense)
    fresh = article(shape, pictures.classes, seed, **settings)
    about = Trained(network, fresh.input, pictures.classes, settings, data)
    module = fresh.module.to(options.device(device))
    recipe = options.recipe(article.recipe, steps, learning_rate, batch, shift, seed)
    total = recipe.for_pictures(len(pictures)).steps
    steps_made = train(
        module, fresh.input, pictures, recipe, out, validate=validation, about=about.to_json()
    )
    follow_training(steps_made, total)
    ready = Network(module, fresh.input, pictures.classes)
    if validation is not None:
        right = percent(accuracy(ready, validation), 2)
        say(f"{out}: {right} of {len(validation):,} for validation")
    say(f"{out}: {percent(accuracy(ready, test), 2)} of {len(test):,} test pictures")
    say(f"\n{_next(out, network, data)}")


@app.command("build", rich_help_panel="Your own network")
@describes
def build_command(
    model: Model,
    out: Annotated[Path, typer.Option(help="The atlas to write, or to go on with.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, mnist:FOLDER[:train|test], a folder of images, or a factory. Default: "
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
    steps: Annotated[int, typer.Option(help="Steps of each picture.")] = 256,
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
    workers: Annotated[
        int, typer.Option(help="Processes that read images ahead; 0 reads in this one.")
    ] = 0,
    replace_other: Annotated[
        bool, typer.Option("--replace", help="Drop what other settings made in this atlas.")
    ] = False,
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
        raise SpecError(f"--steps {steps}: a picture is drawn in steps; at least 1 is needed")
    held = Description.from_json({"canvas": canvas})
    network = told.network(model, options.device(device))
    warn_untrained(model, network, told.weights)
    data = _data(model, told.weights, data)
    pictures = load_data(
        data, network.input.channels, network.input.size, resize=resize_of(told.resize)
    )
    if passed_over := getattr(pictures, "passed_over", ""):
        say(escape(f"{printable(data)}: {passed_over}"))
    network = decided(network, pictures)
    for spec in (model, data):  # run by the person's own word, and so later from this atlas too
        consent.remember(spec)
    recipes = [replace(CHANNELS, canvas=held, steps=steps, size=options.size(size))]
    if neurons:
        recipes.append(replace(NEURONS, steps=steps))
    settings = Settings(
        options.patterns(layers),
        tuple(recipes),
        examples=examples,
        seed=seed,
        workers=workers,
        units=(*options.patterns(units), *of_classes(network, classes)),
    )
    source = {"model": model, "data": data, FROM: seen_from(out)} | told.source
    study = Study(network, pictures, settings, source)
    out.parent.mkdir(parents=True, exist_ok=True)
    tell_reading(study)
    if study.vocabulary.shared:
        warn_implausible(network, study.data, others=not told.normalised)
    follow_study(build(study, out, replace=replace_other))
    tell_findings(out)
    say(f"\nNow: [b]phosphene export {out} SITE[/] or [b]phosphene show {out} UNIT[/]")


@app.command(rich_help_panel="Look")
def export(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    site: Annotated[Path, typer.Argument(help="The folder to write pages into.")],
) -> None:
    """Write an atlas as a static site: open SITE/index.html, no server and no script needed."""
    index = write_site(atlas, site)
    say(f"Open [b]{index}[/]")


@app.command(rich_help_panel="Look")
@describes
def layers(
    model: Annotated[str, typer.Argument(help="An atlas, or what `build` takes as MODEL.")],
    *,
    told: Described,
) -> None:
    """List the layers of a network: kind, shape, units, receptive field, multiply-adds.

    Layers are indented like the modules they are in. Those that a study looks at by default are
    marked with ●.
    """
    if Path(model).is_file() and not is_weights(model):
        with Atlas.open(model) as atlas, blaming_damage(atlas):
            table = table_of_atlas(atlas.layers())
            tell_damage(atlas)
    else:
        table = table_of_network(told.network(model, options.device("cpu")))
    print_whole(table)


def _next(weights: Path, network: str, data: str) -> str:
    """What to type once a network is trained."""
    known = trained(weights) is not None
    model = f"{weights}" if known else f"{network} --weights {weights} --data {data}"
    return (
        f"Now: [b]phosphene build {model} --out {weights.with_suffix('.atlas')}[/] studies every "
        f"unit of it, [b]phosphene probe fool {model}[/] leads noise to each class"
    )


def _data(model: str, weights: Path | None, given: str | None) -> str:
    """The data to study: what was given, else what the weights say they were trained on."""
    known = trained(weights or model)
    if given is None and (known is None or known.data is None):
        raise SpecError("a study needs pictures: give --data digits, mnist:FOLDER, or a folder")
    if given is not None:
        return given
    told = str(known.data if known else "")
    consent.permit(told, weights or Path(model), trust=None)
    return told
