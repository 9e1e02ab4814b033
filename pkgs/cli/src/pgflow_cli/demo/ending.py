"""What the demo says last: what was found, where it is, and what to type next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING, Final

from pgflow_cli.demo.places import show
from pgflow_cli.demo.report import summary
from pgflow_cli.demo.words import spell

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from pgflow_cli.demo.session import Outcome
    from pgflow_cli.demo.view import View

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
    view.say(f"{summary(outcome.totals.all)}, in {spell(outcome.duration)}.")
    view.say()
    view.fact("Report", show(report))
    view.fact("Flow", show(flow_file()))
    view.fact("Run", str(run_id))
    view.say()
    view.say(f"What to try next{_password_note(option)}:")
    where = _database_words(option)
    view.command(
        shlex.join([*program(), "status", str(run_id), *where]),
        "where each step of this run stands, as the database knows it",
    )
    view.command(shlex.join([*program(), "compile", FLOW]), "the SQL that defines this flow")
    view.command(
        shlex.join([*program(), "db", "psql", *where]),
        "the tables themselves; try: select * from pgflow.step_states;",
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
    """Return the words that this program was called by, so far as they work again."""
    if os.environ.get(UV_VARIABLE):
        return ["uv", "run", "pgflow"]
    return ["pgflow"] if shutil.which("pgflow") else [sys.executable, "-m", "pgflow_cli"]


def flow_file() -> Path:
    """Return the file that defines the demo's flow."""
    from pathlib import Path

    from pgflow_cli.demo import flow

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
