"""Bringing a database's pgflow schema to the version of this package."""

from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from pgflow_core_sql import sqlfiles
from pgflow_core_sql.drift import find_drift
from pgflow_core_sql.errors import MigrationChanged, MigrationFailed, SchemaTooNew
from pgflow_core_sql.pieces import LOCK, REWRITTEN, REWRITTEN_VERSION, install_pieces
from pgflow_core_sql.sqlfiles import Migration, SqlFile

# Held to the end of the transaction, so that concurrent migrators take turns.
_LOCK: Final = f"select {LOCK}"
_HAS_HISTORY: Final = "select to_regclass('pgflow.schema_migrations') is not null"
_HISTORY: Final = "select version, digest from pgflow.schema_migrations order by version"
_RECORD: Final = """
insert into pgflow.schema_migrations as migration (version, name, digest) values (%s, %s, %s)
on conflict (version) do update
set name = excluded.name, digest = excluded.digest, applied_at = now()
where migration.digest <> excluded.digest
"""
_OF_NAME: Final = """
select 'function ' || oid::regprocedure::text
from pg_proc where pronamespace = 'pgflow'::regnamespace and proname = %(name)s
union all
select 'view ' || oid::regclass::text
from pg_class
where relnamespace = 'pgflow'::regnamespace and relname = %(name)s and relkind = 'v'
"""
# A function of the name returns something else, or there are several of it by now; a view of the
# name has other columns.
_TAKEN: Final = (
    errors.InvalidFunctionDefinition,
    errors.AmbiguousFunction,
    errors.InvalidTableDefinition,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """What a migrate did.

    Attributes:
        before: Schema version that was found; 0 where there was none.
        after: Schema version now.
        applied: Names of the migrations that were applied, in order.
    """

    before: int
    after: int
    applied: tuple[str, ...]


class Migrator:
    """Brings one database to this package's version of the schema.

    Tables move through numbered migrations, each applied once; functions, views and rights are
    written anew each time, and take the place of those that took other parameters or returned
    something else. All of it is one transaction: it happens as a whole or not at all.

    Args:
        conninfo: A connection URL or string of psycopg, or an open connection. An open
            connection that is inside a transaction keeps it open; the caller commits.
    """

    def __init__(self, conninfo: str | psycopg.Connection[object]) -> None:
        self._conninfo = conninfo

    def migrate(self) -> MigrationReport:
        """Apply what is missing; where nothing is, write functions and rights anew.

        Raises:
            SchemaTooNew: A newer pgflow has migrated the database.
            MigrationChanged: An applied migration is not the one of this package.
            MigrationFailed: The server refused a statement.
            psycopg.OperationalError: The database cannot be reached.
        """
        if not isinstance(self._conninfo, str):
            return _migrate(self._conninfo)
        with psycopg.connect(self._conninfo, autocommit=True, client_encoding="UTF8") as conn:
            return _migrate(conn)

    def pending(self) -> tuple[str, ...]:
        """Return the names of what a migrate would change, and change nothing.

        These are the migrations that are not applied yet, and "functions, views and rights" where
        those are of another version.

        Raises:
            SchemaTooNew: A newer pgflow has migrated the database.
            MigrationChanged: An applied migration is not the one of this package.
        """
        if not isinstance(self._conninfo, str):
            return _names_of_pending(_history(self._conninfo))
        with psycopg.connect(self._conninfo, autocommit=True, client_encoding="UTF8") as conn:
            return _names_of_pending(_history(conn))

    def installed(self) -> int:
        """Return the version of the schema that is there; 0 where there is none."""
        if not isinstance(self._conninfo, str):
            return max(_history(self._conninfo), default=0)
        with psycopg.connect(self._conninfo, autocommit=True, client_encoding="UTF8") as conn:
            return max(_history(conn), default=0)

    def drift(self) -> tuple[str, ...]:
        """Return what in the schema is not as a migrate left it: missing, or changed by hand.

        Only where nothing is pending does that say anything.
        """
        if not isinstance(self._conninfo, str):
            return find_drift(self._conninfo)
        with psycopg.connect(self._conninfo, autocommit=True, client_encoding="UTF8") as conn:
            return find_drift(conn)


def install(conn: psycopg.Connection[object]) -> MigrationReport:
    """Bring the database of an open connection to this package's version of the schema.

    Raises:
        MigrationError: As `Migrator.migrate`.
    """
    return Migrator(conn).migrate()


def install_script(first: int = 1, last: int | None = None) -> str:
    """Return one plain SQL script that does what `Migrator` does.

    For people who own their migrations. Each of its statements asks what the database has, so it
    can be run again, and on a database of an older version.

    Args:
        first: Schema version to begin with.
        last: Schema version to end with; None is the newest, with its functions.

    Raises:
        ValueError: There is no such range of versions.
    """
    return "\n".join(piece.sql for piece in install_pieces(first, last))


def _migrate(conn: psycopg.Connection[object]) -> MigrationReport:
    with conn.transaction():
        conn.execute(_LOCK)
        history = _history(conn)
        pending = _pending(history)
        _apply(conn, sqlfiles.bootstrap())
        for migration in pending:
            _apply(conn, migration)
            _record(conn, migration.version, migration.name, migration.digest)
        _write_anew(conn)
        digest = sqlfiles.digest_of_rewritten()
        _record(conn, REWRITTEN_VERSION, REWRITTEN, digest)
    return MigrationReport(
        before=max(history, default=0),
        after=max(migration.version for migration in sqlfiles.migrations()),
        applied=tuple(migration.name for migration in pending),
    )


def _write_anew(conn: psycopg.Connection[object]) -> None:
    """Write functions, views and rights, in place of those of another version."""
    for file in (*sqlfiles.functions(), *sqlfiles.views()):
        try:
            with conn.transaction():
                conn.execute(file.text.encode(), prepare=False)
        except _TAKEN:
            _replace(conn, file)
        except psycopg.Error as error:
            raise MigrationFailed(name=file.name, reason=str(error).strip()) from error
    _apply(conn, sqlfiles.grants())


def _replace(conn: psycopg.Connection[object], file: SqlFile) -> None:
    """Write a function or view in place of those of its name that are too different.

    What others depend on stays: it may be the very one, which is then written over.
    """
    depended_on = ""
    with conn.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_OF_NAME, {"name": file.stem}, prepare=False).fetchall()
    for (what,) in found:
        try:
            with conn.transaction():
                # The server itself has given the name, quoted where it has to be.
                conn.execute(f"drop {what}".encode(), prepare=False)
        except errors.DependentObjectsStillExist as error:
            depended_on = str(error).strip()
    try:
        _apply(conn, file)
    except MigrationFailed as error:
        raise MigrationFailed(name=file.name, reason=depended_on or error.reason) from error


def _record(conn: psycopg.Connection[object], version: int, name: str, digest: str) -> None:
    # Not prepared: through a pooler that would be left to whoever has the session next.
    conn.execute(_RECORD, (version, name, digest), prepare=False)


def _history(conn: psycopg.Connection[object]) -> dict[int, str]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        there = cursor.execute(_HAS_HISTORY).fetchone()
        if there is None or not there[0]:
            return {}
        return dict(cursor.execute(_HISTORY).fetchall())


def _pending(history: dict[int, str]) -> list[Migration]:
    known = sqlfiles.migrations()
    newest = known[-1].version
    if max(history, default=0) > newest:
        raise SchemaTooNew(installed=max(history), known=newest)
    for migration in known:
        if history.get(migration.version, migration.digest) != migration.digest:
            raise MigrationChanged(name=migration.name)
    return [migration for migration in known if migration.version not in history]


def _names_of_pending(history: dict[int, str]) -> tuple[str, ...]:
    names = [migration.name for migration in _pending(history)]
    if history.get(REWRITTEN_VERSION) != sqlfiles.digest_of_rewritten():
        names.append(REWRITTEN)
    return tuple(names)


def _apply(conn: psycopg.Connection[object], file: SqlFile) -> None:
    try:
        # The text is a file of this package, never a value.
        conn.execute(file.text.encode(), prepare=False)
    except psycopg.Error as error:
        raise MigrationFailed(name=file.name, reason=str(error).strip()) from error
