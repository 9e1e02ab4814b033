"""Looking at the server: what it is, who asks, and what stands in between."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pgflow_client.upkeep import (
    has_pooler,
    read_old_transactions,
    read_server_health,
    read_settings,
    read_user_rights,
)

from pgflow_cli.doctor.finding import bad, good, note, warning
from pgflow_cli.printing import printable, spell_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgflow_client.upkeep import OldTransaction, ServerHealth
    from psycopg import Connection

    from pgflow_cli.doctor.finding import Finding

__all__ = ["examine_server"]

_OLDEST_SERVER: Final = 150_000
# Milliseconds of a round trip above which a worker feels it.
_FAR: Final = 20.0
# Seconds that clocks may differ.
_SKEW: Final = 2.0
_OLD: Final = timedelta(minutes=5)
# Transactions since the oldest row was frozen; at about 2,000 million the server stops.
_FROZEN: Final = 1_000_000_000


def examine_server(conn: Connection[Any]) -> Iterator[Finding]:
    """Look at the server, the connection and its user."""
    yield from _connection(conn)
    yield from _settings(conn)
    yield _clock(conn)
    yield from _rights(conn)
    health = read_server_health(conn)
    yield from _transactions(conn, health)
    yield _notifications(health)
    yield _connections(health)
    if health.frozen_age > _FROZEN:
        says = f"the oldest row was written {health.frozen_age:,} transactions ago"
        yield bad("wraparound", says, "vacuum the database, before the server stops to write")


def _connection(conn: Connection[Any]) -> Iterator[Finding]:
    took = min(_round_trip(conn) for _ in range(5)) * 1000
    says = f"a round trip takes {took:.1f} ms"
    if took > _FAR:
        advice = "run workers near the database: each report of theirs is a round trip"
        yield warning("connection", says, advice)
    else:
        yield good("connection", says)
    if has_pooler(conn):
        says = "a pooler stands before the server, so workers and clients poll"
        advice = "name the server itself to workers, where they should start at once"
        yield note("pooler", says, advice)
    else:
        yield good("pooler", "there is none: notifications and prepared statements work")


def _round_trip(conn: Connection[Any]) -> float:
    began = time.perf_counter()
    conn.execute("select 1")
    return time.perf_counter() - began


def _settings(conn: Connection[Any]) -> Iterator[Finding]:
    settings = read_settings(conn)
    version = settings.version
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < _OLDEST_SERVER:
        yield bad("server", f"it is {name}", "upgrade it: pgflow needs PostgreSQL 15 or later")
    elif settings.is_standby:
        yield bad("server", f"it is {name}, and only follows another", "name the primary")
    else:
        yield good("server", f"it is {name}")
    if not settings.fsync or not settings.full_page_writes:
        says = "a power cut may destroy it: fsync or full_page_writes is off"
        yield warning("durability", says, "set both on, unless all of it may be lost")
    elif settings.synchronous_commit == "off":
        says = "synchronous_commit is off, so a crash may forget the latest commits"
        yield warning("durability", says, "set it on, unless work may be done twice then")
    else:
        yield good("durability", "what is committed is on disk")


def _clock(conn: Connection[Any]) -> Finding:
    before = datetime.now(UTC)
    there = read_server_health(conn).at
    after = datetime.now(UTC)
    skew = max((there - after).total_seconds(), (before - there).total_seconds(), 0.0)
    if skew > _SKEW:
        says = f"this machine's and the server's differ by {spell_seconds(skew)}"
        advice = "have both follow a time server: ids and delays go by the server's clock"
        return warning("clocks", says, advice)
    return good("clocks", "this machine and the server agree")


def _rights(conn: Connection[Any]) -> Iterator[Finding]:
    rights = read_user_rights(conn)
    if rights.missing_groups:
        says = f"the server has no roles {', '.join(rights.missing_groups)}"
        advice = (
            "let an administrator run what `pgflow install --roles --sql` prints, and the owner of "
            "the schema `pgflow install` once more; one user alone needs none"
        )
        yield warning("roles", says, advice)
    if rights.is_superuser:
        says = f"{rights.user} is a superuser"
        advice = "give programs users of their own, in pgflow_client or pgflow_worker"
        yield note("rights", says, advice)
    elif rights.owns_schema:
        yield good("rights", f"{rights.user} owns the schema, and may upgrade and prune")
    elif rights.groups:
        yield good("rights", f"{rights.user} is in {', '.join(rights.groups)}")
    else:
        says = f"{rights.user} is in none of pgflow's roles"
        yield bad("rights", says, f"grant pgflow_client, pgflow_worker or both to {rights.user}")


def _transactions(conn: Connection[Any], health: ServerHealth) -> Iterator[Finding]:
    holding = [each for each in read_old_transactions(conn, _OLD) if each.holds_back]
    for each in holding:
        yield warning("transactions", _describe(each), _end(each))
    if not holding:
        yield good("transactions", f"none has been open for {spell_seconds(_OLD.total_seconds())}")
    if health.hidden_sessions:
        says = f"{health.hidden_sessions} sessions are hidden from this user"
        yield note("transactions", says, "grant pg_read_all_stats to see what they do")
    if health.prepared_transactions:
        says = f"{health.prepared_transactions} prepared transactions wait to be ended"
        advice = "commit or roll them back: see pg_prepared_xacts"
        yield warning("transactions", says, advice)


def _describe(each: OldTransaction) -> str:
    who = printable(each.application or each.user or "a session")
    span = spell_seconds(each.seconds)
    return f"that of process {each.pid} ({who}, {each.state}) has been open for {span}"


def _end(each: OldTransaction) -> str:
    return (
        "it keeps dead rows from being removed, which slows the queue down; end it, say by "
        f"select pg_terminate_backend({each.pid})"
    )


def _notifications(health: ServerHealth) -> Finding:
    share = f"{health.notification_queue:.0%}"
    if health.notification_queue > 0.5:
        says = f"their queue is {share} full"
        advice = "end the session that listens and does not read: see pg_stat_activity"
        return bad("notifications", says, advice)
    return good("notifications", f"their queue is {share} full")


def _connections(health: ServerHealth) -> Finding:
    says = f"{health.connections} of {health.max_connections} are in use"
    if health.connections > 0.8 * health.max_connections:
        advice = "raise max_connections, have fewer processes, or put a pooler before the server"
        return warning("connections", says, advice)
    return good("connections", says)
