"""PostgreSQL's own terminal, psql: finding it, and becoming it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pgflow_cli.embedded.binaries import all_binaries
from pgflow_cli.embedded.errors import BinariesUnusable, PlatformUnsupported, PsqlMissing

if TYPE_CHECKING:
    from collections.abc import Sequence


def find_psql() -> Path:
    """Find psql: next to the server's binaries, else on PATH, else with any other PostgreSQL.

    Raises:
        PsqlMissing: There is none.
    """
    found: list[Path] = []
    # psql is also of use with a database elsewhere, where no server can run here.
    with suppress(BinariesUnusable, PlatformUnsupported):
        found = [each.path / "psql" for each in all_binaries()]
    on_path = shutil.which("psql")
    for program in (*found[:1], *([Path(on_path)] if on_path else []), *found[1:]):
        if os.access(program, os.X_OK):
            return program
    raise PsqlMissing


def become_psql(url: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by psql.

    Args:
        url: The database, as a URL or a connection string.
        arguments: Further arguments for psql.

    Raises:
        PsqlMissing: There is none.
    """
    # Here, since a driver takes longer to import than most commands that do not need it to run.
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    program = find_psql()
    parameters = conninfo_to_dict(url)
    # Everybody can read the arguments of a process, and only its user the environment.
    password = parameters.pop("password", None)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    database = make_conninfo("", **parameters)
    os.execve(program, [str(program), f"--dbname={database}", *arguments], environment)
