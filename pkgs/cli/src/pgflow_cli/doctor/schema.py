"""Looking at the schema: its version, its indexes, and what has collected in its tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import psycopg
from pgflow_client import PermissionRefused
from pgflow_client.overview import read_schema_version
from pgflow_client.upkeep import read_index_health, read_index_names, read_table_health
from pgflow_core_sql import MigrationError, Migrator, SchemaTooNew, sqlfiles

from pgflow_cli.doctor.finding import bad, good, note, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgflow_client.upkeep import IndexHealth, TableHealth
    from psycopg import Connection

    from pgflow_cli.doctor.finding import Finding

__all__ = ["examine_tables", "examine_version", "expected_indexes"]

_CREATED: Final = re.compile(r"^create (?:unique )?index (\w+)", re.MULTILINE)
_DROPPED: Final = re.compile(r"^drop index (?:if exists )?(?:pgflow\.)?(\w+)", re.MULTILINE)
# What a table may have collected before anybody cares.
_DEAD_ROWS: Final = 50_000
_WASTED: Final = 50_000_000


def examine_version(conn: Connection[Any]) -> Finding:
    """Look at which version of the schema is installed; nothing else makes sense without one."""
    newest = sqlfiles.migrations()[-1].version
    try:
        pending = Migrator(conn).pending()
    except psycopg.errors.InsufficientPrivilege:
        return _version_alone(conn, newest)
    except SchemaTooNew as error:
        return bad("schema", str(error), "use the pgflow that installed it, or a newer one")
    except MigrationError as error:
        return bad("schema", str(error), "install this pgflow into a database of its own")
    if pending:
        says = f"{len(pending)} changes are missing, up to version {newest}"
        return bad("schema", says, "let its owner run `pgflow install`")
    # Indexes are looked at by themselves.
    drift = [each for each in Migrator(conn).drift() if not each.startswith("index ")]
    if drift:
        return bad("schema", "; ".join(drift), "let its owner run `pgflow install`")
    return good("schema", f"version {newest} is installed, and complete")


def _version_alone(conn: Connection[Any], newest: int) -> Finding:
    """Look at the version as those see it who may not look any closer."""
    try:
        version = read_schema_version(conn)
    except PermissionRefused:
        advice = (
            "grant it pgflow_client, pgflow_worker or pgflow_reader; if it has one, let the owner "
            "of the schema run `pgflow install`: a role that was made later gets its rights by that"
        )
        return bad("schema", "this user may not use it", advice)
    if version != newest:
        says = f"version {version} is installed, and this pgflow is of version {newest}"
        return bad("schema", says, "let its owner run `pgflow install`, or use the pgflow that did")
    return good("schema", f"version {version} is installed")


def examine_tables(conn: Connection[Any]) -> Iterator[Finding]:
    """Look at indexes, dead rows and bloat."""
    missing = sorted(expected_indexes() - read_index_names(conn))
    if missing:
        advice = "create them again: `pgflow install --sql` prints how"
        yield bad("indexes", f"{', '.join(missing)} are not there", advice)
    else:
        yield good("indexes", "all are there")
    for index in read_index_health(conn):
        if (finding := _index(index)) is not None:
            yield finding
    dead = [finding for table in read_table_health(conn) if (finding := _table(table))]
    yield from dead or [good("dead rows", "they are removed as they should be")]


def expected_indexes() -> frozenset[str]:
    """Return the names of the indexes that the migrations make."""
    names: set[str] = set()
    for migration in sqlfiles.migrations():
        names |= set(_CREATED.findall(migration.text))
        names -= set(_DROPPED.findall(migration.text))
    return frozenset(names)


def _index(index: IndexHealth) -> Finding | None:
    if not index.is_valid:
        advice = f"run: reindex index concurrently pgflow.{index.name}"
        return bad("indexes", f"{index.name} is invalid, and not used", advice)
    wasted = index.size - index.needed
    if wasted > _WASTED and wasted > index.size / 2:
        says = f"{index.name} takes {_megabytes(index.size)}, about {_megabytes(wasted)} too much"
        return note("bloat", says, f"run: reindex index concurrently pgflow.{index.name}")
    return None


def _table(table: TableHealth) -> Finding | None:
    if table.dead_rows < _DEAD_ROWS or table.dead_rows < table.live_rows / 2:
        return None
    says = f"{table.name} has {table.dead_rows:,} beside {table.live_rows:,} live ones"
    advice = f"look for old transactions and for autovacuum; run: vacuum pgflow.{table.name}"
    return warning("dead rows", says, advice)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"
