"""The command line: parse, call, print."""

import sys
from functools import partial
from io import TextIOWrapper

from phosphene.allocator import for_good, keep_freed_memory

with for_good():
    from rich.markup import escape

    from phosphene.cli.app import app
    from phosphene.cli.output import errors
    from phosphene.errors import PhospheneError
    from phosphene.progress import bar, watching

__all__ = ["app", "main"]


INTERRUPTED = 130


def main() -> None:
    """Run the command line; a person's mistake is told in words, without a traceback.

    Exit status: 0 done, 1 the machine failed (disk, memory), 2 what was asked for cannot be,
    130 interrupted.
    """
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        # Names of files may be no text, and terminals may know few characters: neither is a fault.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with watching(partial(bar, console=errors)):
            app()
    except PhospheneError as error:
        _fail(str(error), status=2)
    except (KeyboardInterrupt, SystemExit) as end:
        # The parser below us turns an interruption into this exit status, without a word.
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        _fail("interrupted; what was finished is kept", INTERRUPTED)
    except OSError as error:
        _fail(str(error), status=1)


def _fail(message: str, status: int) -> None:
    errors.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)
