"""The commands."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from phosphene.atlas import Atlas
from phosphene.canvas import CANVASES, Chosen, canvas_from_json
from phosphene.cli import options
from phosphene.cli.arguments import (
    Device,
    InputSize,
    Labels,
    Mean,
    Model,
    Range,
    Seed,
    Std,
    Weights,
)
from phosphene.cli.layer_table import table_of_atlas, table_of_network
from phosphene.cli.output import bar, console, follow_study, follow_training, say
from phosphene.cli.probe import probe
from phosphene.cli.show import show
from phosphene.data import digits, load_data
from phosphene.errors import SpecError, nearest
from phosphene.figures import export_site
from phosphene.network import Input, Network, load_network
from phosphene.study import CHANNELS, NEURONS, Settings, Study, build
from phosphene.zoo import ARTICLES, accuracy, hvass, seeded, train
from phosphene.zoo import Recipe as Training

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


@app.command(rich_help_panel="Start here")
def demo(
    out: Annotated[Path, typer.Option(help="Where to put everything.")] = Path("demo"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a small network on real handwritten digits and study every unit of it.

    Needs no network and no data: the 1,797 digits come with scikit-learn (8x8 pixels, enlarged to
    28x28). Writes OUT/digits.safetensors, OUT/digits.atlas and OUT/site/index.html. Run again, it
    goes on where it was stopped and is done in seconds.
    """
    training = Training(learning_rate=1e-3, steps=800, seed=seed)
    input = Input(1, (28, 28))
    module = seeded(hvass, seed).to(options.device(device))
    data = digits("train")
    follow_training(train(module, input, data, training, out / "digits.safetensors"), 800)
    network = Network(module, input, data.classes, "Hvass's network on digits")
    source = {
        "model": "phosphene.zoo:HVASS",
        "weights": str(out / "digits.safetensors"),
        "data": "digits:test",
    }
    study = Study(network, digits("test"), Settings(seed=seed), source)
    follow_study(build(study, out / "digits.atlas"))
    _finish(out / "digits.atlas", out / "site")


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
        raise SpecError(f"no network {network!r}; {nearest(network, ARTICLES)}")
    shape = options.shape(size)
    article = ARTICLES[network]
    pictures, validation = options.split(
        load_data(data, shape[0], shape[1:], "train"), classes, article
    )
    test = options.of_classes(load_data(data, shape[0], shape[1:], "test"), classes, article)
    fresh = article(
        shape, pictures.classes, seed, **options.widths(article.factory, widths=widths, dense=dense)
    )
    module = fresh.module.to(options.device(device))
    recipe = options.recipe(article.recipe, steps, learning_rate, batch, shift, seed)
    total = recipe.for_pictures(len(pictures)).steps
    follow_training(train(module, fresh.input, pictures, recipe, out, validate=validation), total)
    trained = Network(module, fresh.input, pictures.classes)
    if validation is not None:
        say(f"{out}: {accuracy(trained, validation):.2%} of {len(validation):,} for validation")
    say(f"{out}: {accuracy(trained, test):.2%} of {len(test):,} test pictures")


@app.command("build", rich_help_panel="Your own network")
def build_command(
    model: Model,
    data: Annotated[
        str,
        typer.Option(help="digits, mnist:FOLDER[:train|test], a folder of images, or a factory."),
    ],
    out: Annotated[Path, typer.Option(help="The atlas to write, or to go on with.")],
    weights: Weights = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(help="Only these layers: conv1,fc*. * and ? are wild. Repeatable."),
    ] = None,
    input: InputSize = None,
    mean: Mean = None,
    std: Std = None,
    range: Range = None,
    labels: Labels = None,
    canvas: Annotated[
        str,
        typer.Option(
            help=f"How whole pictures are held: {', '.join(CANVASES)}. Chosen is by the data."
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
) -> None:
    """Study a network and write an atlas: one file with everything that was found.

    [b]phosphene build model.py:make --weights w.safetensors --data photos/ --out net.atlas[/]

    Every job is kept as it ends. Stopped and started again, the build goes on where it was.
    """
    if steps < 1:
        raise SpecError(f"--steps {steps}: a picture is drawn in steps; at least 1 is needed")
    held = canvas_from_json({"canvas": canvas})
    network = _network(model, weights, (input, mean, std, range), labels, device)
    pictures = load_data(data, network.input.channels, network.input.size)
    recipes = [replace(CHANNELS, canvas=held, steps=steps, size=options.size(size))]
    if neurons:
        recipes.append(replace(NEURONS, steps=steps))
    settings = Settings(
        options.patterns(layers), tuple(recipes), examples=examples, seed=seed, workers=workers
    )
    source = {"model": model, "data": data} | ({"weights": str(weights)} if weights else {})
    study = Study(network, pictures, settings, source)
    follow_study(build(study, out, replace=replace_other))
    _tell(out)
    say(f"\nNow: [b]phosphene export {out} SITE[/] or [b]phosphene show {out} UNIT[/]")


@app.command(rich_help_panel="Look")
def export(
    atlas: Annotated[Path, typer.Argument(help="An atlas.")],
    site: Annotated[Path, typer.Argument(help="The folder to write pages into.")],
) -> None:
    """Write an atlas as a static site: open SITE/index.html, no server and no script needed."""
    index = _export(atlas, site)
    say(f"Open [b]{index}[/]")


@app.command(rich_help_panel="Look")
def layers(
    model: Annotated[str, typer.Argument(help="An atlas, or what `build` takes as MODEL.")],
    weights: Weights = None,
    input: InputSize = None,
) -> None:
    """List the layers of a network: kind, shape, units, receptive field, multiply-adds.

    Layers are indented like the modules they are in. Those that a study looks at by default are
    marked with ●.
    """
    if Path(model).is_file():
        with Atlas.open(model) as atlas:
            table = table_of_atlas(atlas.layers())
    else:
        network = _network(model, weights, (input, None, None, None), None, "cpu")
        table = table_of_network(network)
    console.print(table)


def _network(
    model: str,
    weights: Path | None,
    input: tuple[str | None, str | None, str | None, str | None],
    labels: str | None,
    device: str,
) -> Network:
    return load_network(
        model,
        options.weights(weights),
        options.input_of(*input),
        options.labels(labels),
        options.device(device),
    )


def _export(atlas: Path, site: Path) -> Path:
    with Atlas.open(atlas) as opened, bar("writing pages", 1) as (progress, task):
        return export_site(
            opened, site, lambda done, total: progress.update(task, completed=done, total=total)
        )


def _tell(path: Path) -> None:
    with Atlas.open(path) as atlas:
        for finding in atlas.findings():
            say(f"• {escape(finding.text)}")


def _finish(atlas: Path, site: Path) -> None:
    index = _export(atlas, site)
    console.print()
    _tell(atlas)
    say(f"\nOpen [b]{index}[/] in a browser, or: [b]phosphene show {atlas} conv2:3[/]")
