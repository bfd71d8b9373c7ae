"""A command for each question, made from its form: probes are read when one is put."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from phosphene.cli import messages
from phosphene.cli.arguments import Device, Seed
from phosphene.cli.described import Described, describes
from phosphene.errors import SettingError
from phosphene.probes.options import Option
from phosphene.probes.question import HIDE, forms

Target = Annotated[
    str,
    typer.Argument(
        metavar="ATLAS|MODEL",
        help="An atlas, which keeps the answer too, file.py:factory, timm:NAME, weights made by "
        "`train`, or hvass.",
        show_default=False,
    ),
]
SHARED: dict[str, tuple[Any, Any]] = {
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
    "seed": (Seed, 0),
    "device": (Device, "auto"),
    "trust": (
        Annotated[
            bool, typer.Option("--trust", help="Run the code that the atlas names, if it is asked.")
        ],
        False,
    ),
}
"""Options that say what a question is put to."""

Out = Annotated[
    Path | None,
    typer.Option(help="The picture to write; its figures go beside it as JSON."),
]

TYPES: dict[str, Any] = {"count": int, "number": float, "switch": bool}
"""What a kind of option is on the command line; texts are all others."""

METAVARS = {"count": "N", "number": "X", "slice": "FROM:TO", "classes": "CLASS,…"}

asked = typer.Typer()


def add_questions() -> None:
    """Give every question that has none a command, among them those declared elsewhere."""
    known = {command.name for command in asked.registered_commands}
    for name, form in forms().items():
        if name not in known:
            asked.command(name, rich_help_panel=form["panel"])(command(form))


GraphFile = Annotated[
    Path | None,
    typer.Option(
        help="Its graph too: .graphml, or .json for circuit-tracer's and Neuronpedia's viewers."
    ),
]


def command(form: Mapping[str, Any], graph: bool = False) -> Callable[..., None]:
    """The command that puts the question of this form; it may write the answer as a `graph`."""
    name, own = form["name"], [Option.from_json(field) for field in form["fields"]]

    def run(
        told: Described,
        target: str,
        out: Path | None,
        graph: Path | None = None,
        **values: Any,
    ) -> None:
        from phosphene.cli.answering import answer, source
        from phosphene.probes import question

        about = {name: values.pop(name) for name in SHARED}
        for each in own:
            if by_flag(each) in values:
                values[each.name] = chosen(name, each, values, values.pop(by_flag(each)))
        put = question.named(name, **values)
        answer(source(target, told=told, **about), put, out, graph)

    parameters = [_parameter("target", Target, inspect.Parameter.empty)]
    for each in own:
        parameters += [_parameter(name, kind, default) for name, kind, default in typed(each)]
    parameters += [_parameter(name, kind, default) for name, (kind, default) in SHARED.items()]
    parameters.append(_parameter("out", Out, None))
    if graph:
        parameters.append(_parameter("graph", GraphFile, None))
    parameters.append(_parameter("told", Described, ...))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = name, form["about"]
    return describes(run)


def typed(option: Option) -> list[tuple[str, Any, Any]]:
    """The parameters of one option as `typer` reads them: name, type and default."""
    kind = TYPES.get(option.kind, str)
    how: dict[str, Any] = {"help": option.help, "metavar": METAVARS.get(option.kind)}
    if option.least is not None:
        how["min"] = option.least
    default = option.default
    if option.many:
        kind, how["help"] = list[kind], f"{option.help} Repeatable."  # type: ignore[valid-type]
        default = None if default is None else list(default)
    flags = [option.flag]
    if option.kind == "switch":
        how.pop("metavar")
    if option.kind == "layers":
        flags.append("--layer")
    if option.required:
        default = ...
    elif default is None:
        kind = kind | None
    if not option.argument:
        return [(option.name, Annotated[kind, typer.Option(*flags, **how)], default)]
    if option.kind != "layer":
        return [(option.name, Annotated[kind, typer.Argument(**how)], default)]
    flag = typer.Option("--layer", help="The same, as other probes take it.", metavar="LAYER")
    return [
        (option.name, Annotated[str | None, typer.Argument(**how)], None),
        (by_flag(option), Annotated[str | None, flag], None),
    ]


def by_flag(option: Option) -> str:
    """What the flag is called of an option that may be given without one."""
    return f"{option.name}_by_flag"


def chosen(probe: str, option: Option, values: dict[str, Any], flagged: str | None) -> str:
    """A layer that was given once, as an argument or by its flag."""
    given = [text for text in (values[option.name], flagged) if text is not None]
    if len(given) != 1:
        raise SettingError(
            f"{probe} is about one layer; name it once: "
            f"phosphene probe {probe} ATLAS {given[0] if given else 'conv2'}"
        )
    return given[0]


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if default is ... else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)


add_questions()
asked.command("reveal", rich_help_panel=HIDE)(messages.reveal_command)
