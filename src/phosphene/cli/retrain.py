"""`phosphene probe transfer`, `variants` and `imagine`: train, and compare."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from phosphene.canvas import Decoded
from phosphene.cli import options
from phosphene.cli.following import follow_training
from phosphene.cli.output import bar
from phosphene.cli.subjects import Subject
from phosphene.data import Batch, batches, load_data
from phosphene.errors import SpecError, nearest
from phosphene.evaluation import nearest_neighbours
from phosphene.maximize import Optimizer, Recipe
from phosphene.network import Network
from phosphene.probes import (
    Make,
    class_pictures,
    compare,
    fool,
    imagine,
    morph,
    transfer,
)
from phosphene.training import Training, seeded, train
from phosphene.words import plural
from phosphene.zoo import (
    ARTICLES,
    DECODER,
    Article,
    VariationalAutoencoder,
    train_decoder,
)

MAKES = ("fool", "morph", "classes")

Article_ = Annotated[str, typer.Option("--network", help=f"One of {', '.join(ARTICLES)}.")]
Train = Annotated[
    str | None, typer.Option("--train", help="What to train on: digits, mnist:FOLDER, a folder.")
]
Folder = Annotated[Path, typer.Option(help="Where trained weights are kept and taken from.")]
TrainingSteps = Annotated[
    int | None, typer.Option("--training-steps", help="Default: the article's.")
]
Rate = Annotated[float | None, typer.Option("--learning-rate", help="Default: the article's.")]


def transfer_command(
    subject: Subject,
    make: Annotated[str, typer.Option(help=f"What pictures: {', '.join(MAKES)}.")] = "fool",
    also: Annotated[
        list[Path] | None, typer.Option(help="Weights of the same network. Repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Train this many more, from other seeds.")] = 0,
    train_on: Train = None,
    network: Article_ = "hvass",
    folder: Folder = Path("retrained"),
    training_steps: TrainingSteps = None,
    learning_rate: Rate = None,
    confidence: Annotated[
        float, typer.Option(help="Stop each picture at this probability, for fool and morph.")
    ] = 0.99,
    rate: Annotated[float, typer.Option(help="How far a step of fool or morph goes.")] = 0.02,
    images: Annotated[int, typer.Option(help="How many pictures to morph, or starts to fool.")] = 8,
) -> None:
    """Do pictures made for one network convince another, trained from another seed?"""
    maker = _maker(subject, make, confidence=confidence, rate=rate, images=images)
    others = [subject.named(weights) for weights in also or ()]
    if seeds:
        article, recipe = _article(network), _recipe(network, training_steps, learning_rate)
        for seed in range(subject.seed + 1, subject.seed + 1 + seeds):
            name = f"{network}-seed{seed}"
            others.append(_trained(subject, article, recipe(seed), train_on, folder / name, {}))
    if not others:
        raise SpecError(
            "transfer needs other networks: give --also WEIGHTS, or --seeds 5 --train DATA"
        )
    networks = [subject.network, *others]

    def made(net: Network) -> tuple[Tensor, Sequence[int]]:
        pictures, targets = maker(net)
        if not len(pictures):
            raise SpecError(
                f"none of the pictures made for {net.name} reached p = {confidence}; give a lower "
                "--confidence, or train longer"
            )
        return pictures, targets

    subject.answer(
        "transfer",
        f"Transfer of {make} pictures among {len(networks)} networks",
        lambda: transfer(networks, made),
        on_data=make != "fool",
        make=make,
        confidence=confidence,
        rate=rate,
        images=images,
        others=[net.fingerprint for net in others],
    )


def variants_command(
    subject: Subject,
    train_on: Train = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Such as 'widths=8,18 dense=64'. Repeatable, one network each."),
    ] = None,
    network: Article_ = "hvass",
    folder: Folder = Path("variants"),
    training_steps: TrainingSteps = None,
    learning_rate: Rate = None,
    shift: Annotated[
        float, typer.Option(help="Train on copies shifted up to this share of the side.")
    ] = 0.0,
    steps: Annotated[int, typer.Option(help="Steps of each class picture.", min=1)] = 256,
) -> None:
    """Retrain with fewer features or more layers; accuracy, idle units, pictures side by side."""
    if not variant:
        raise SpecError("no variant was given; give --variant 'widths=8,18 dense=64', or several")
    article = _article(network)
    recipe = _recipe(network, training_steps, learning_rate, shift)(subject.seed)
    networks = {subject.network.name: subject.network}
    for text in variant:
        settings = options.widths(article.factory, **_assignments(text))
        path = folder / f"{network}-{text.replace('=', '').replace(' ', '-').replace(',', '-')}"
        networks[text] = _trained(subject, article, recipe, train_on, path, settings)
    subject.answer(
        "variants",
        f"{subject.network.name} beside {plural(len(networks) - 1, 'variant')}",
        lambda: compare(networks, subject.data, recipe=Recipe(steps=steps), seed=subject.seed),
        on_data=True,
        others={name: net.fingerprint for name, net in networks.items()},
        steps=steps,
    )


def imagine_command(
    subject: Subject,
    train_on: Train = None,
    folder: Folder = Path("decoders"),
    training_steps: TrainingSteps = None,
    codes: Annotated[int, typer.Option(help="Numbers a picture is made from.", min=1)] = 16,
    per_class: Annotated[int, typer.Option(help="Pictures of each class.", min=1)] = 8,
    steps: Annotated[int, typer.Option(help="Steps of each picture.", min=1)] = 128,
) -> None:
    """Imagine each class: seek pictures among those that a decoder trained on the data draws."""
    input = subject.network.input
    pictures = load_data(_required(train_on), input.channels, input.size, "train")
    decoder = seeded(lambda: VariationalAutoencoder(input.shape, codes), subject.seed)
    recipe = replace(DECODER, seed=subject.seed, steps=training_steps or DECODER.steps)
    path = folder / f"decoder-{codes}.safetensors"
    with bar("training a decoder", recipe.steps) as (progress, task):
        for step in train_decoder(decoder, pictures, path, recipe):
            progress.update(task, completed=step.index)
        progress.update(task, completed=recipe.steps)  # also where it was there already
    held_out = next(iter(batches(subject.data, 256))).pictures
    subject.answer(
        "imagine",
        "Imagined classes",
        lambda: imagine(
            subject.network,
            Recipe(canvas=Decoded(decoder=decoder.to(subject.device)), steps=steps),
            per_class=per_class,
            seed=subject.seed,
            nearest=lambda some: nearest_neighbours(some, batches(pictures), 5),
            held_out=held_out,
        ),
        on_data=True,
        decoder=decoder.fingerprint,
        per_class=per_class,
        steps=steps,
    )


def _required(data: str | None) -> str:
    if data is None:
        raise SpecError("training needs pictures: give --train digits, mnist:FOLDER or a folder")
    return data


def _article(name: str) -> Article:
    if name not in ARTICLES:
        raise SpecError(f"no network {name!r}; {nearest(name, ARTICLES, listing=True)}")
    return ARTICLES[name]


def _recipe(
    network: str, steps: int | None, learning_rate: float | None, shift: float = 0.0
) -> Callable[[int], Training]:
    base = _article(network).recipe
    return lambda seed: options.recipe(base, steps, learning_rate, None, shift, seed)


def _assignments(text: str) -> dict[str, str | None]:
    """`widths=8,18 dense=64` as names and values."""
    found: dict[str, str | None] = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise SpecError(f"--variant {text!r} is not name=value, such as 'widths=8,18 dense=64'")
        found[name] = value
    return found


def _trained(
    subject: Subject,
    article: Article,
    recipe: Training,
    data: str | None,
    path: Path,
    settings: dict[str, Any],
) -> Network:
    """A network of `article` for the subject's classes, trained, or loaded where that was done."""
    input = subject.network.input
    classes = subject.network.classes
    pictures = options.of_classes(
        load_data(_required(data), input.channels, input.size, "train"), ",".join(classes), article
    )
    fresh = article(input.shape, classes, recipe.seed, **settings)
    fresh.module.to(subject.device)
    total = recipe.for_pictures(len(pictures)).steps
    path = path.with_name(path.name + ".safetensors")
    follow_training(train(fresh.module, input, pictures, recipe, path), total)
    return Network(fresh.module, input, classes, path.stem)


def _maker(subject: Subject, make: str, *, confidence: float, rate: float, images: int) -> Make:
    """What makes the pictures for one network, and their targets; only then are data looked at."""
    if make == "fool":
        return lambda net: fool(
            net,
            [c for c in range(len(net.classes)) for _ in range(images)],
            optimizer=Optimizer("NormalizedGradient", rate),
            steps=200,
            seed=subject.seed,
        ).first(confidence)
    if make == "morph":
        first = cache(lambda: next(iter(batches(subject.data, images))))
        return lambda net: _morphed(net, first(), rate, confidence)
    if make == "classes":
        return lambda net: class_pictures(net, seed=subject.seed, spectrum=subject.spectrum)
    raise SpecError(f"no pictures are called {make!r}; {nearest(make, MAKES)}")


def _morphed(
    net: Network, batch: Batch, rate: float, confidence: float
) -> tuple[Tensor, tuple[int, ...]]:
    """Each picture led to every class that it is not read as."""
    read = net.class_scores(batch.pictures).argmax(1).tolist()
    pairs = [(i, c) for i, now in enumerate(read) for c in range(len(net.classes)) if c != now]
    pictures = batch.pictures[[i for i, _ in pairs]]
    film = morph(net, pictures, [c for _, c in pairs], rate=rate, steps=60)
    return film.first(confidence)
