"""Commands that are read when they are called, so that help and looking at atlases are quick."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from phosphene.allocator import for_good


class Quick(TyperCommand):
    """A command of which the words are read without collections: pydantic is, to read them."""

    def make_context(self, *args: Any, **settings: Any) -> Any:
        with for_good():
            return super().make_context(*args, **settings)


class Later(TyperCommand):
    """A command's name and what help says of it; `where` it is written, as `module:function`."""

    def __init__(self, name: str, where: str, panel: str, summary: str) -> None:
        super().__init__(name, help=summary, rich_help_panel=panel)
        self.where = where

    def read(self) -> Any:
        """The command itself, or the group of commands."""
        module, _, attribute = self.where.partition(":")
        with for_good():
            found = getattr(import_module(f"phosphene.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        alone = typer.Typer(
            add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False
        )
        alone.command(self.name, cls=Quick)(found)
        return typer.main.get_command(alone)


def group_of(commands: Sequence[Later]) -> type[TyperGroup]:
    """A group that knows `commands` by name and reads the one that is called."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = {str(command.name): command for command in commands}

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
            name, command, rest = super().resolve_command(ctx, args)
            return name, command.read() if isinstance(command, Later) else command, rest

    return Group
