"""`phosphene probe ...`: questions put to a network, and the answers that an atlas keeps."""

from typing import Any

import typer
from typer.core import TyperGroup

from phosphene.cli import kept


class Probes(TyperGroup):
    """What is kept is told at once; the questions, which take networks, are read when needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names: the questions, then what is done with answers."""
        kept = dict(self.commands)
        self.commands = {**self._questions(), **kept}
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; None where there is none."""
        if cmd_name not in self.commands:
            self.commands = {**self._questions(), **self.commands}
        return super().get_command(ctx, cmd_name)

    def _questions(self) -> dict[str, Any]:
        from phosphene.cli.questions import add_questions, asked

        add_questions()
        return dict(typer.main.get_group(asked).commands)


probe = typer.Typer(
    cls=Probes,
    help="Put a question to a network: fool it, move its pictures, switch its units off. "
    "Given an atlas, the answer is kept in it and shown on its pages.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
probe.command("list", rich_help_panel="Answers kept")(kept.list_command)
probe.command("forget", rich_help_panel="Answers kept")(kept.forget_command)
