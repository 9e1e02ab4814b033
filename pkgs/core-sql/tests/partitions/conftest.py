"""A database whose tables are partitioned, where years have gone by."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from core_sql_support import Engine, broken_rules, step
from pgflow_cli.embedded import EmbeddedServer

TEMPLATE: Final = "pgflow_months"
TABLES: Final = (
    *("runs", "run_reopenings", "step_states", "step_tasks", "task_attempts", "streams"),
    "stream_items",
)


class History(Engine):
    """An engine on partitioned tables, which can start runs at any instant."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        super().__init__(conn)
        self.flow("chain", {"first": {}, "last": step("first")})

    def id_at(self, instant: datetime) -> UUID:
        """Make an id of a run that is started at an instant."""
        first = self.value("select pgflow.run_id_at(%s)", instant).bytes
        return UUID(bytes=first[:8] + uuid4().bytes[8:])

    def start_at(self, instant: datetime, slug: str = "chain", **named: Any) -> UUID:
        """Start a run, with the id and the time that it would have had at an instant."""
        run_id = self.start(slug, run_id=self.id_at(instant), **named)
        self.conn.execute(
            "update pgflow.runs set started_at = %s where run_id = %s", (instant, run_id)
        )
        return run_id

    def end(self, *run_ids: UUID, after: timedelta = timedelta(0)) -> None:
        """Cancel runs, as of some time after their start."""
        self.rows("select pgflow.cancel_runs(%s)", list(run_ids))
        self.conn.execute(
            "update pgflow.runs set cancelled_at = started_at + %s where run_id = any (%s)",
            (after, list(run_ids)),
        )

    def months(self, table: str = "runs") -> list[str]:
        """Name the partitions of a table by month, the oldest first."""
        return self.column(
            "select partition_name from pgflow.partitions where table_name = %s"
            " and first_id is not null order by end_id",
            table,
        )

    def until_none(self, function: str, *arguments: object) -> list[str]:
        """Call a function again and again, and give what it returned before it was NULL."""
        done: list[str] = []
        while (name := self.call(function, *arguments)) is not None:
            done.append(name)
        return done

    def drop(self, *arguments: object) -> list[str]:
        """Drop what can be dropped, and give the partitions of runs among it."""
        return [
            name
            for name in dict.fromkeys(self.until_none("drop_partitions", *arguments))
            if name.startswith("runs_")
        ]


def month(year: int, number: int) -> datetime:
    """Give an instant within a month."""
    return datetime(year, number, 17, 12, tzinfo=UTC)


def partition_name(table: str, instant: datetime) -> str:
    """Name the partition of a month."""
    return f"{table}_{instant:%Y%m}"


def months_ago(number: int) -> datetime:
    """Give an instant within the month that was so many months ago; below 0 is to come."""
    now = datetime.now(UTC)
    years, rest = divmod(now.year * 12 + now.month - 1 - number, 12)
    return month(years, rest + 1)


def add_months(conn: psycopg.Connection[Any], first: int, last: int) -> None:
    """Add partitions of past months, counted back from this one."""
    for (table,) in conn.execute("select unnest(pgflow._partitioned_tables())").fetchall():
        conn.execute(
            """
            select pgflow._add_partition(
              %(table)s, to_char(month.starts, '"' || %(table)s || '_"YYYYMM'),
              pgflow._month_bound(month.starts, 0), pgflow._month_bound(month.starts, 1)
            )
            from generate_series(%(first)s::int, %(last)s::int) as back (months)
            cross join lateral (
              select date_trunc('month', now() at time zone 'UTC')
                - make_interval(months => back.months) + interval '16 days' as starts
            ) as month
            """,
            {"table": table, "first": first, "last": last},
        )


def forget_last_months(history: History) -> None:
    """Take away the partitions of four months, as if nobody had made them."""
    for table in TABLES:
        for number in range(4):
            name = "pgflow_partitions." + partition_name(table, months_ago(number))
            history.conn.execute(f"alter table pgflow.{table} detach partition {name}")
            history.conn.execute(f"drop table {name}")


@pytest.fixture(scope="session")
def template_db(postgres: EmbeddedServer, template_db: str) -> str:
    """A database with partitions of eight months, as if it had been partitioned before them."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(f"create database {TEMPLATE} template {template_db}")
    with psycopg.connect(postgres.url(TEMPLATE)) as conn:
        conn.execute("select pgflow.partition_by_month('0')")
        for (table,) in conn.execute("select unnest(pgflow._partitioned_tables())").fetchall():
            first = f"pgflow_partitions.{table}_first"
            conn.execute(f"alter table pgflow.{table} detach partition {first}")
            conn.execute(f"drop table {first}")
        add_months(conn, 0, 7)
    return TEMPLATE


@pytest.fixture
def history(conn: psycopg.Connection[Any]) -> Iterator[History]:
    """An engine on that database."""
    engine = History(conn)
    yield engine
    conn.rollback()
    assert broken_rules(conn) == []
