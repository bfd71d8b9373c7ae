"""`phosphene train`: an article's network on one's own pictures."""

from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli import options
from phosphene.cli.arguments import Device, Seed
from phosphene.cli.following import follow_training
from phosphene.cli.output import command, say
from phosphene.data import load_data
from phosphene.network import Network
from phosphene.probes.retraining import article_called, changed, factory_settings, pictures_of
from phosphene.training import accuracy, train
from phosphene.words import percent
from phosphene.zoo import ARTICLES, Trained
from phosphene.zoo.specs import trained


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
    shape, article = options.shape(size), article_called(network)
    pictures, validation = options.split(
        load_data(data, shape[0], shape[1:], "train"), classes, article
    )
    test = pictures_of(load_data(data, shape[0], shape[1:], "test"), classes, article)
    settings = factory_settings(article.factory, widths=widths, dense=dense)
    fresh = article(shape, pictures.classes, seed, **settings)
    about = Trained(network, fresh.input, pictures.classes, settings, data)
    module = fresh.module.to(options.device(device))
    recipe = changed(
        article.recipe, seed, steps=steps, learning_rate=learning_rate, batch=batch, shift=shift
    )
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


def _next(weights: Path, network: str, data: str) -> str:
    """What to type once a network is trained."""
    known = trained(weights) is not None
    model = f"{weights}" if known else f"{network} --weights {weights} --data {data}"
    return (
        f"Now: [b]{command()} build {model} --out {weights.with_suffix('.atlas')}[/] studies every "
        f"unit of it, [b]{command()} probe fool {model}[/] leads noise to each class"
    )
