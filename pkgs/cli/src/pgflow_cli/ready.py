"""Databases that a command can work with: reached, and with a schema that this version knows."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import psycopg
from pgflow_client.errors import DatabaseProblem, DatabaseUnreachable, SchemaMissing, error_for
from pgflow_client.overview import read_schema_version
from pgflow_core_sql import Migrator, SchemaTooNew, sqlfiles
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow_cli.database import EMBEDDED, connect, open_database

if TYPE_CHECKING:
    from collections.abc import Generator

    from pgflow_cli.database import Database

__all__ = ["newest_schema", "reached_database", "ready_database", "telling_of"]

# Seconds; the system's own patience with an address that swallows packets is two minutes.
_CONNECT_TIMEOUT: Final = 10


def ready_database(option: str | None = None, *, install: bool = False) -> Database:
    """Find the database, and see to it that its schema is the one of this version.

    The embedded database gets the schema by itself, others only where that is asked for.

    Args:
        option: What --database-url was given; None or "" if it was not.
        install: Whether to install the schema in whatever database it is.

    Raises:
        SchemaTooNew: A newer pgflow has migrated the database.
        SchemaMissing: It has no schema of pgflow, or an older one.
        DatabaseUnreachable: It cannot be reached.
        EmbeddedError: The embedded server could not be started.
    """
    database = reached_database(option)
    with telling_of(database), connect(database.url) as conn:
        if database.is_embedded or install:
            migrator = Migrator(conn)
            # To migrate writes each function anew, which takes longer than most commands.
            if migrator.pending():
                migrator.migrate()
        else:
            _require_schema(conn)
    return database


def reached_database(option: str | None = None) -> Database:
    """Find the database, and start it if it is the embedded one; its schema is not looked at.

    Args:
        option: What --database-url was given; None or "" if it was not.

    Returns:
        The database; its URL has a bound on the time that connecting may take.
    """
    database = open_database(option)
    parameters = conninfo_to_dict(database.url)
    if "connect_timeout" in parameters or "PGCONNECT_TIMEOUT" in os.environ:
        return database
    return replace(database, url=make_conninfo(database.url, connect_timeout=_CONNECT_TIMEOUT))


def newest_schema() -> int:
    """Return the version of the schema that this pgflow installs."""
    return sqlfiles.migrations()[-1].version


@contextmanager
def telling_of(database: Database) -> Generator[None]:
    """Raise pgflow's errors in place of the driver's, and say where an unreachable one was named.

    Args:
        database: The database that is worked with.
    """
    try:
        yield
    except psycopg.Error as error:
        ours = error_for(error)
        if ours is None:
            raise
        _note_source(ours, database)
        raise ours from error
    except DatabaseProblem as error:
        _note_source(error, database)
        raise


def _note_source(error: Exception, database: Database) -> None:
    if isinstance(error, DatabaseUnreachable) and database.source != EMBEDDED:
        error.add_note(f"The database is the one that {database.source} names.")


def _require_schema(conn: psycopg.Connection) -> None:
    installed, known = read_schema_version(conn), newest_schema()
    if installed > known:
        raise SchemaTooNew(installed=installed, known=known)
    if installed < known:
        raise SchemaMissing(f"it has schema version {installed}, this pgflow needs {known}")
