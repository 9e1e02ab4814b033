"""What the demo says last: what was found, where it is, and what to type next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pgflow_cli.demo import flow
from pgflow_cli.demo.places import current_folder, show
from pgflow_cli.demo.report import summary
from pgflow_cli.demo.words import spell

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow_cli.demo.session import Outcome
    from pgflow_cli.demo.view import View

PROGRAM: Final = "pgflow"
FLOW: Final = "pgflow_cli.demo.flow:demo"
# Set by `uv run`, in whose environment alone the command may be known.
UV_VARIABLE: Final = "UV_RUN_RECURSION_DEPTH"


def tell_end(
    outcome: Outcome, report: Path, run_id: UUID | None, option: str | None, view: View
) -> None:
    """Tell of a run that has completed.

    Args:
        outcome: What came of it.
        report: Where its report is.
        run_id: The run.
        option: What --database-url was given, which the next commands then need too.
        view: Where to tell it.
    """
    view.say(f"Done in {spell(outcome.duration)}: {summary(outcome.totals.all)}.")
    view.say()
    view.fact("Report", show(report))
    view.fact("Flow", show(flow_file()))
    view.fact("Run", str(run_id))
    view.say()
    view.say(f"What to try next{_password_note(option)}:")
    where = _database_words(option)
    view.command(
        shlex.join([*program(), "status", str(run_id), *where]),
        "where the steps of this run stand, asked anew",
    )
    view.command(shlex.join([*program(), "compile", FLOW]), "the SQL that defines this flow")
    view.command(
        shlex.join([*program(), "db", "psql", *where]),
        "the tables; try: select step_slug, status from pgflow.step_states;",
    )


def tell_stop(run_id: UUID | None, option: str | None, view: View) -> None:
    """Tell of a run that was left before it had ended.

    Args:
        run_id: The run; None if there is none yet.
        option: What --database-url was given.
        view: Where to tell it.
    """
    view.say()
    if run_id is None:
        view.say("Stopped before a run was started.")
        return
    view.say(f"Stopped. Run {run_id} is kept as it is{_password_note(option)}:")
    view.command(
        shlex.join([*program(), "worker", FLOW, *_database_words(option)]),
        "goes on with it where it was left; end it with Ctrl-C",
    )


def program() -> list[str]:
    """Return the words that call this program again, from the current folder."""
    if os.environ.get(UV_VARIABLE):
        # `uv run` finds the environment of the project that the user stands in.
        if current_folder().is_relative_to(Path(sys.prefix).parent):
            return ["uv", "run", PROGRAM]
    elif shutil.which(PROGRAM):
        return [PROGRAM]
    called = Path(sys.argv[0])
    if called.name == PROGRAM and os.access(called, os.X_OK):
        return [str(called.absolute())]
    return [sys.executable, "-m", "pgflow_cli"]


def flow_file() -> Path:
    """Return the file that defines the demo's flow."""
    return Path(flow.__file__)


def _database_words(option: str | None) -> list[str]:
    return ["--database-url", option] if option and not _has_password(option) else []


def _password_note(option: str | None) -> str:
    if option and _has_password(option):
        return ", with PGFLOW_DATABASE_URL set to the URL that you gave"
    return ""


def _has_password(option: str) -> bool:
    from psycopg.conninfo import conninfo_to_dict

    return "password" in conninfo_to_dict(option)
