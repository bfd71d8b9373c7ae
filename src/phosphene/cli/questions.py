"""The questions that can be put to a network, by what they are about."""

from collections.abc import Callable

import typer

from phosphene.cli import pictures, recipes, retrain, units
from phosphene.cli.subjects import about

QUESTIONS: dict[str, dict[str, Callable[..., None]]] = {
    "Change pictures until the answer changes": {
        "fool": pictures.fool_command,
        "morph": pictures.morph_command,
        "distances": pictures.distances_command,
    },
    "Move and draw": {
        "shift": pictures.shift_command,
        "strokes": pictures.strokes_command,
    },
    "Hidden messages": {
        "hide": pictures.hide_command,
        "reveal": pictures.reveal_command,
    },
    "What units and weights are for": {
        "units": units.units_command,
        "dissect": units.dissect_command,
        "restarts": units.restarts_command,
        "weights": units.weights_command,
    },
    "Mistakes": {
        "errors": units.errors_command,
    },
    "Draw": {
        "classes": recipes.classes_command,
        "dream": recipes.dream_command,
        "invert": recipes.invert_command,
        "caricature": recipes.caricature_command,
        "facets": recipes.facets_command,
        "interpolate": recipes.interpolate_command,
    },
    "Train and compare": {
        "transfer": retrain.transfer_command,
        "variants": retrain.variants_command,
        "imagine": retrain.imagine_command,
    },
}

questions = typer.Typer()
for panel, commands in QUESTIONS.items():
    for name, command in commands.items():
        questions.command(name, rich_help_panel=panel)(about(command))
