"""The command line: which commands there are, and how each of them ends.

Nothing here imports a driver, pydantic or rich: `pgflow --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "DEBUG_VARIABLE", "LazyGroup", "Program", "main"]

NAME: Final = "pgflow"
DEBUG_VARIABLE: Final = "PGFLOW_DEBUG"

# Help is here and not read from the commands, whose modules are imported only when they run.
COMMANDS: Final = {
    "demo": "Run a sample flow on a folder of files and watch it.",
    "install": "Bring the database to this version of pgflow.",
    "compile": "Turn flows into SQL that defines them.",
    "graph": "Draw a flow.",
    "dev": "Develop flows beside a worker and a web page that follow them.",
    "worker": "Run the handlers of flows.",
    "flows": "List flows and versions, compare them, and put them to use.",
    "start": "Start a run of a flow.",
    "watch": "Show one run as it goes on.",
    "runs": "List, show, watch, cancel, retry and restart runs.",
    "status": "Show what a database does, or where one run stands.",
    "workers": "Show who works on what.",
    "ui": "Show flows, runs and workers on a web page.",
    "bench": "Measure how fast flows go on a database.",
    "doctor": "Look for what is wrong with a database, and say what to do.",
    "prune": "Delete runs that ended long ago.",
    "db": "Manage the embedded PostgreSQL.",
    "completion": "Print what a shell needs to complete commands.",
}


class LazyGroup(click.Group):
    """A group whose commands live in modules of their names, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"pgflow_cli.commands.{cmd_name}"), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"pgflow_cli.commands.{cmd_name}.{cmd_name} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line; one that is not there may be a slip of the pen."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    NAME,
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="The database is the one of --database-url, PGFLOW_DATABASE_URL or DATABASE_URL; "
    "where none is given, an embedded PostgreSQL starts by itself.",
)
@click.version_option(package_name="pgflow-cli", prog_name=NAME, message="%(prog)s %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    envvar=DEBUG_VARIABLE,
    help="Show tracebacks of errors. Also PGFLOW_DEBUG=1.",
)
def pgflow(*, debug: bool) -> None:
    """Run typed workflows on PostgreSQL."""
    if debug:
        # Where an error is told, there is no context any more.
        os.environ[DEBUG_VARIABLE] = "1"


class Program:
    """A command as a program: it runs, tells people what went wrong, and ends the process.

    Attributes:
        command: The group of all commands.
    """

    def __init__(self, command: click.Group) -> None:
        self.command: Final = command

    def __call__(self) -> NoReturn:
        """Run the command line of this process, and end it."""
        from pgflow_cli.ending import leave

        leave(self.run(sys.argv[1:]))

    def run(self, arguments: Sequence[str]) -> int:
        """Run a command line and return its exit code; what went wrong is told on stderr.

        Args:
            arguments: The words after `pgflow`.
        """
        if sys.stdout is None:  # as with `>&-`
            from pgflow_cli.closed_output import ClosedOutput

            sys.stdout = ClosedOutput()
        try:
            code = self.command.main(list(arguments), prog_name=NAME, standalone_mode=False)
            # What cannot be written has to show here, not while the interpreter ends.
            sys.stdout.flush()
        # Commands of people's code may raise anything, and none of it is worth a traceback.
        except Exception as error:
            from pgflow_cli.reporting import report

            return report(error)
        return code if isinstance(code, int) else 0


main: Final = Program(pgflow)
