"""The commands."""

from typing import Annotated

import typer

from phosphene.cli.later import Later, group_of
from phosphene.version import __version__

COMMANDS = (
    Later(
        "demo",
        "demonstration:demo",
        "Start here",
        "Train a small network on real handwritten digits and study every unit of it.",
    ),
    Later(
        "train",
        "train:train_command",
        "Your own network",
        "Train one of the articles' networks on DATA and save its weights.",
    ),
    Later(
        "build",
        "build:build_command",
        "Your own network",
        "Study a network and write an atlas: one file with everything that was found.",
    ),
    Later(
        "merge",
        "merging:merge_command",
        "Your own network",
        "Make one atlas of several built apart: of other layers, units or parts of the data.",
    ),
    Later(
        "view",
        "view:view",
        "Look",
        "Walk through atlases on a local page, and try their networks on its bench.",
    ),
    Later(
        "show",
        "showing:show",
        "Look",
        "Print what is known of a unit and draw it; give a layer's name for all of its units.",
    ),
    Later(
        "export",
        "finishing:export",
        "Look",
        "Write an atlas as a static site: open SITE/index.html, no server and no script needed.",
    ),
    Later(
        "layers",
        "layer_table:layers",
        "Look",
        "List the layers of a network: kind, shape, units, receptive field, multiply-adds.",
    ),
    Later(
        "parts",
        "circuits:parts",
        "Take apart",
        "Take a unit or a class apart, in a picture: what it is made of, each part removed to see.",
    ),
    Later(
        "wholes",
        "circuits:wholes",
        "Take apart",
        "Tell which later units and classes change most in a picture when a unit is removed.",
    ),
    Later(
        "why",
        "circuits:why",
        "Take apart",
        "Find the strongest ways from a picture's pixels to its class, and what would change it.",
    ),
    Later(
        "circuit",
        "circuits:circuit",
        "Take apart",
        "Find the smallest set of units that keeps what a unit or a class answers to a picture.",
    ),
    Later(
        "check",
        "checking:check",
        "Look",
        "Go through a whole atlas and tell what is damaged.",
    ),
    Later(
        "probe",
        "probe:probe",
        "Look",
        "Put a question to a network: fool it, move its pictures, switch its units off. "
        "Given an atlas, the answer is kept in it and shown on its pages.",
    ),
)

app = typer.Typer(
    cls=group_of(COMMANDS),
    help="What does a unit of a trained vision network really look for? "
    "[b]phosphene[/] trains, studies and shows: every unit of every layer, in pictures.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"phosphene {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def phosphene(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the version.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """What goes before every command."""
