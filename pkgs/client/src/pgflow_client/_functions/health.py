"""How the database itself fares: dead rows, bloat, old transactions, room for notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "IndexHealth",
    "OldTransaction",
    "ServerHealth",
    "TableHealth",
    "get_server_health",
    "list_index_health",
    "list_old_transactions",
    "list_table_health",
]

_LIST_TABLE_HEALTH: Final = """
select
  stats.relname, pg_table_size(stats.relid), pg_indexes_size(stats.relid), stats.n_live_tup,
  stats.n_dead_tup, greatest(stats.last_vacuum, stats.last_autovacuum),
  greatest(stats.last_analyze, stats.last_autoanalyze)
from pg_stat_user_tables as stats
where stats.schemaname = 'pgflow'
order by pg_total_relation_size(stats.relid) desc, stats.relname
"""
# An entry takes its columns, aligned, and twelve bytes; pages are filled to nine tenths, less their
# headers. An estimate: good enough to tell an index of twice its size, which is what matters.
_LIST_INDEX_HEALTH: Final = """
select
  index.relname, owner.relname, pg_relation_size(index.oid),
  greatest(8192, ceil(
    greatest(index.reltuples, 0) * (12 + 8 * ceil(coalesce(width.bytes, 16) / 8.0))
      / (8168 * 0.9)
  )::bigint * 8192),
  stats.idx_scan, meta.indisvalid
from pg_class as index
join pg_index as meta on meta.indexrelid = index.oid
join pg_class as owner on owner.oid = meta.indrelid
join pg_am as method on method.oid = index.relam
left join pg_stat_user_indexes as stats on stats.indexrelid = index.oid
left join lateral (
  select sum(coalesce(stat.avg_width, 8)) as bytes
  from pg_attribute as attribute
  left join pg_stats as stat
    on stat.schemaname = 'pgflow' and stat.tablename = owner.relname
      and stat.attname = attribute.attname
  where attribute.attrelid = owner.oid and attribute.attnum = any (meta.indkey)
) as width on true
where index.relnamespace = 'pgflow'::regnamespace and method.amname = 'btree'
order by pg_relation_size(index.oid) desc, index.relname
"""
_LIST_OLD_TRANSACTIONS: Final = """
select
  activity.pid, activity.usename, activity.application_name, activity.state,
  extract(epoch from clock_timestamp() - activity.xact_start)::float8,
  activity.backend_xmin is not null or activity.backend_xid is not null,
  left(activity.query, 200)
from pg_stat_activity as activity
where activity.datname = current_database() and activity.pid <> pg_backend_pid()
  and activity.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s::float8)
order by activity.xact_start
limit %(page)s::int
"""
_GET_SERVER_HEALTH: Final = """
select
  current_setting('server_version'), current_database(), pg_database_size(current_database()),
  pg_notification_queue_usage(),
  (
    select count(*) from pg_stat_activity as activity
    -- What kind another user's is may be hidden, but not that it is of a database.
    where coalesce(activity.backend_type, 'client backend') = 'client backend'
      and activity.datid is not null
  ),
  current_setting('max_connections')::int,
  (
    select extract(epoch from clock_timestamp() - min(activity.xact_start))::float8
    from pg_stat_activity as activity
    where activity.datname = current_database() and activity.pid <> pg_backend_pid()
  ),
  (
    select count(*) from pg_stat_activity as activity
    where activity.datname = current_database() and activity.query = '<insufficient privilege>'
  ),
  (select count(*) from pg_prepared_xacts as prepared where prepared.database = current_database()),
  (
    select max(age(slot.xmin)) from pg_replication_slots as slot where slot.xmin is not null
  ),
  age(own.datfrozenxid), clock_timestamp(), current_setting('autovacuum')::boolean
from pg_database as own
where own.datname = current_database()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHealth:
    """A table of pgflow's.

    Attributes:
        name: The table.
        table_bytes: How large it is, without its indexes.
        index_bytes: How large its indexes are.
        live_rows: How many rows it has, as far as is known.
        dead_rows: How many rows wait to be vacuumed away.
        vacuumed_at: When it was last vacuumed; None if never.
        analyzed_at: When it was last analyzed; None if never.
    """

    name: str
    table_bytes: int
    index_bytes: int
    live_rows: int
    dead_rows: int
    vacuumed_at: datetime | None
    analyzed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexHealth:
    """An index of pgflow's.

    Attributes:
        name: The index.
        table: Its table.
        size: How large it is, in bytes.
        needed: How large it would be if it were built anew, as an estimate.
        scans: How often it was used; None where that is not known.
        is_valid: Whether it may be used at all.
    """

    name: str
    table: str
    size: int
    needed: int
    scans: int | None
    is_valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OldTransaction:
    """A transaction that has been open for long.

    Attributes:
        pid: The server process.
        user: Whose it is.
        application: What the program calls itself.
        state: What it does, such as "idle in transaction".
        seconds: How long it has been open.
        holds_back: Whether it keeps dead rows from being vacuumed away.
        query: The beginning of its latest statement.
    """

    pid: int
    user: str | None
    application: str
    state: str | None
    seconds: float
    holds_back: bool
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """A server and the database on it.

    Attributes:
        version: The server's version.
        database: The database's name.
        size: How large it is, in bytes.
        notification_queue: How full the queue of notifications is, from 0 to 1.
        connections: How many clients are connected to the server.
        max_connections: How many may be.
        oldest_transaction_seconds: How long the oldest transaction has been open; None for none.
        hidden_sessions: How many sessions this user may not look into.
        prepared_transactions: How many prepared transactions wait to be ended.
        slot_age: How many transactions the furthest replication slot is behind; None for none.
        frozen_age: How many transactions ago the oldest unfrozen row was written.
        at: The server's clock.
        has_autovacuum: Whether the server vacuums by itself.
    """

    version: str
    database: str
    size: int
    notification_queue: float
    connections: int
    max_connections: int
    oldest_transaction_seconds: float | None
    hidden_sessions: int
    prepared_transactions: int
    slot_age: int | None
    frozen_age: int
    at: datetime
    has_autovacuum: bool


def list_table_health() -> Call[list[TableHealth]]:
    """List the tables of the schema, the largest first."""
    return Call(sql=_LIST_TABLE_HEALTH, arguments={}, read=_tables)


def list_index_health() -> Call[list[IndexHealth]]:
    """List the B-tree indexes of the schema, the largest first."""
    return Call(sql=_LIST_INDEX_HEALTH, arguments={}, read=_indexes)


def list_old_transactions(*, seconds: float, page: int) -> Call[list[OldTransaction]]:
    """List transactions that have been open for longer, the oldest first.

    Args:
        seconds: For how long.
        page: How many at most.
    """
    arguments = {"seconds": seconds, "page": page}
    return Call(sql=_LIST_OLD_TRANSACTIONS, arguments=arguments, read=_transactions)


def get_server_health() -> Call[ServerHealth]:
    """Read how the server and the database fare."""
    return Call(sql=_GET_SERVER_HEALTH, arguments={}, read=_server)


def _tables(rows: Rows) -> list[TableHealth]:
    return [
        TableHealth(
            name=row[0],
            table_bytes=row[1],
            index_bytes=row[2],
            live_rows=row[3],
            dead_rows=row[4],
            vacuumed_at=row[5],
            analyzed_at=row[6],
        )
        for row in rows
    ]


def _indexes(rows: Rows) -> list[IndexHealth]:
    return [
        IndexHealth(
            name=row[0],
            table=row[1],
            size=row[2],
            needed=row[3],
            scans=row[4],
            is_valid=row[5],
        )
        for row in rows
    ]


def _transactions(rows: Rows) -> list[OldTransaction]:
    return [
        OldTransaction(
            pid=row[0],
            user=row[1],
            application=row[2],
            state=row[3],
            seconds=row[4],
            holds_back=row[5],
            query=row[6],
        )
        for row in rows
    ]


def _server(rows: Rows) -> ServerHealth:
    row = rows[0]
    return ServerHealth(
        version=row[0],
        database=row[1],
        size=row[2],
        notification_queue=row[3],
        connections=row[4],
        max_connections=row[5],
        oldest_transaction_seconds=row[6],
        hidden_sessions=row[7],
        prepared_transactions=row[8],
        slot_age=row[9],
        frozen_age=row[10],
        at=row[11],
        has_autovacuum=row[12],
    )
