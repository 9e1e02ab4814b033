"""What people are told when a command fails: one message on stderr, and the exit code.

Exit codes, of all commands:

- 0    it is done
- 1    it failed, and the message says why; without a message: what read the output went away
- 2    the command line is wrong
- 3    a check found that something is to be done (`install --check`, `compile --check`)
- 4    the watched run was cancelled (`start --watch`)
- 5    a check found that the schema is not what pgflow installed (`install --check`)
- 6    a check found the schema of a newer pgflow (`install --check`)
- 130  ended by Ctrl-C
- 128 + N  a worker ended by signal N before it had finished its tasks
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

import click

from pgflow_cli.printing import complain

__all__ = ["CANCELLED", "DRIFTED", "FAILED", "INTERRUPTED", "NEWER", "PENDING", "report"]

FAILED: Final = 1
PENDING: Final = 3
CANCELLED: Final = 4
DRIFTED: Final = 5
NEWER: Final = 6
INTERRUPTED: Final = 130


def report(error: Exception) -> int:
    """Tell what went wrong, in one message, and return the exit code.

    Args:
        error: What a command raised.
    """
    if isinstance(error, BrokenPipeError):
        # As with `| head`; click does the same where it is the one to write.
        _forget_output()
        return FAILED
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return _report_abort(error)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if _wants_traceback():
        traceback.print_exception(error)
    complain("\n".join([_message(error), *getattr(error, "__notes__", ())]))
    return FAILED


def _report_abort(error: click.Abort) -> int:
    # Click makes one of Ctrl-C and of the end of the input; the question that was answered with
    # no has no cause.
    is_interrupt = isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)
    complain("interrupted" if is_interrupt else "nothing was done")
    return INTERRUPTED if is_interrupt else FAILED


def _message(error: Exception) -> str:
    if isinstance(error, _own_errors()):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    told = _database_message(error)
    if told is not None:
        return told
    return (
        f"unexpected {type(error).__name__}: {error}\n"
        "`pgflow --debug ...` shows where it comes from."
    )


def _own_errors() -> tuple[type[Exception], ...]:
    # Where a class is not loaded there is no error of it; to load it now could only fail.
    names = {"pgflow_dsl.errors": "PgflowError", "pgflow_core_sql.errors": "MigrationError"}
    loaded = (getattr(sys.modules.get(module), name, None) for module, name in names.items())
    return tuple(kind for kind in loaded if kind is not None)


def _database_message(error: Exception) -> str | None:
    if "psycopg" not in sys.modules:
        return None
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    from pgflow_client.errors import error_for

    ours = error_for(error)
    return str(ours) if ours is not None else f"the database refused: {str(error).strip()}"


def _wants_traceback() -> bool:
    named = os.environ.get("PGFLOW_DEBUG", "").strip().lower()
    return named not in {"", "0", "false", "no", "off"}


def _forget_output() -> None:
    """Have the interpreter flush what is left to nowhere, where it can do no harm."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
