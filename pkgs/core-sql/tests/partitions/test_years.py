"""Five years go by in partitioned tables, month by month, on a clock that the test sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from core_sql_support import broken_rules, step
from pgflow_cli.embedded import EmbeddedServer
from pgflow_core_sql import Migrator

from .conftest import History

DATABASE: Final = "pgflow_years"
TABLES: Final = (
    *("runs", "run_reopenings", "step_states", "step_tasks", "task_attempts", "streams"),
    "stream_items",
)
# Far from UTC on both sides, and with changes of an hour, of half an hour, and against the season.
ZONES: Final = (
    *("UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"),
    *("Australia/Lord_Howe", "Africa/Casablanca"),
)
RETENTION: Final[dict[str, timedelta | None]] = {
    "chain": timedelta(days=395),
    "waiting": timedelta(days=365),
    "stuck": timedelta(days=365),
    "ledger": None,
}
MONTHS: Final = [
    datetime(year, number, 1, tzinfo=UTC) for year in range(2027, 2032) for number in range(1, 13)
]
# Nobody keeps the partitions in these eight months, and they are made three months ahead.
ABSENT: Final = [
    month
    for month in MONTHS
    if datetime(2029, 7, 1, tzinfo=UTC) <= month < datetime(2030, 3, 1, tzinfo=UTC)
]
# By which some days are longer or shorter in the session's zone.
AN_HOUR: Final = timedelta(hours=1)
SHORTEST: Final = min(kept for kept in RETENTION.values() if kept is not None)

# The server's own clock cannot be set, but a database can have other functions of these names, if
# it has them before anything that calls them.
CLOCK: Final = """
    alter function pg_catalog.{name}() rename to real_{name};
    create function pg_catalog.{name}() returns timestamptz language sql {kind} return coalesce(
      nullif(current_setting('simulated.now', true), '')::timestamptz, pg_catalog.real_{name}()
    );
"""


def month_of(instant: datetime) -> datetime:
    """Give the first instant of a month."""
    return instant.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@dataclass(slots=True, kw_only=True)
class Run:
    """What the test knows of a run, which the database has to know as well."""

    run_id: UUID
    slug: str
    started_at: datetime
    ended_at: datetime | None = None

    def is_kept(self, now: datetime) -> bool:
        """Tell whether it may not be deleted."""
        kept = RETENTION[self.slug]
        return self.ended_at is None or kept is None or self.ended_at >= now - kept + AN_HOUR

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether it is to be gone by now, with its month or by itself."""
        kept = RETENTION[self.slug]
        return (
            not self.is_kept(now)
            and kept is not None
            and self.started_at < month_of(now - kept - timedelta(days=1) - AN_HOUR)
        )


class Years(History):
    """An engine in a database whose clock stands where it was set."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.now = MONTHS[0]
        self.known: dict[UUID, Run] = {}
        self.failed: list[tuple[datetime, Run]] = []
        self.waiting: list[tuple[datetime, Run]] = []
        conn.execute("select set_config('simulated.now', %s, false)", (str(self.now),))
        super().__init__(conn)
        for slug in ("waiting", "stuck", "ledger"):
            self.flow(slug, {"only": step()})
        for slug, kept in RETENTION.items():
            if kept is not None:
                self.call("set_retention", kept, slug)
        self.call("partition_by_month")
        self.call("setup_maintenance", done_by="workers")

    def go_to(self, instant: datetime) -> None:
        self.now = instant
        self.conn.execute("select set_config('simulated.now', %s, false)", (str(instant),))

    def hire(self) -> None:
        """Go on as another worker; those of long ago are forgotten."""
        self.worker_id = uuid4()
        self.serve(*RETENTION)

    def begin(self, slug: str) -> Run:
        run_id = self.start(slug, idempotency_key=f"{slug} {self.now}")
        run = self.known[run_id] = Run(run_id=run_id, slug=slug, started_at=self.now)
        return run

    def claim_from(self, run: Run) -> Any:
        """Claim the only task that is ready in the flow of a run, and see that it is the run's."""
        [task] = self.claim(flows=[run.slug])
        assert task.run_id == run.run_id
        return task

    def finish(self, run: Run) -> None:
        """Do what is left to do of a run."""
        for _ in range(
            self.value("select remaining_steps from pgflow.runs where run_id = %s", run.run_id)
        ):
            assert self.complete((self.claim_from(run), 1)) == []
        assert self.run(run.run_id, "status") == "completed"
        run.ended_at = self.now

    def work(self, number: int) -> None:
        """Start a run and end it in one of the ways, or leave it for a later month."""
        run = self.begin("chain")
        if number % 4 == 0:
            self.finish(run)
        elif number % 4 == 1:
            self.fail(self.claim_from(run), final=True)
            self.failed.append((self.now + timedelta(days=100), run))
            run.ended_at = self.now
        elif number % 4 == 2:
            assert self.call("cancel_run", run.run_id) is not None
            run.ended_at = self.now
        else:
            self.complete((self.claim_from(run), 1))
            self.finish(run)

    def go_on(self) -> None:
        """Repeat what failed some months ago, and do what has waited long enough."""
        while self.failed and self.failed[0][0] <= self.now:
            _, run = self.failed.pop(0)
            assert self.call("retry_run", run.run_id) is not None
            self.finish(run)
        while self.waiting and self.waiting[0][0] <= self.now:
            _, run = self.waiting.pop(0)
            [task] = self.claim(1, [run.slug])
            assert task.run_id == run.run_id
            assert self.complete((task, 1)) == []
            run.ended_at = self.now

    def keep_up(self, by_workers: bool) -> None:
        """Have all done that is due, by the workers' sweeps or by the calls that cron makes."""
        if by_workers:
            before = None
            while before != (before := self.extent()):
                self.go_to(self.now + timedelta(minutes=1))
                self.call("requeue_stalled_tasks")
            assert self.call("create_partitions") is None
            assert self.call("drop_partitions") is None
        else:
            while self.call("prune_by_policy") > 0:
                pass
            self.until_none("create_partitions")
            self.until_none("drop_partitions")

    def extent(self) -> tuple[Any, ...]:
        return self.row("""
            select (select count(*) from pgflow.partitions), (select count(*) from pgflow.runs),
              (select count(*) from pgflow.run_keys)
        """)


@pytest.fixture
def years(postgres: EmbeddedServer) -> Iterator[Years]:
    """A database that has been partitioned at the beginning of the first year."""
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"create database {DATABASE}")
        try:
            with psycopg.connect(postgres.url(DATABASE), autocommit=True) as conn:
                for name, kind in (("now", "stable"), ("clock_timestamp", "volatile")):
                    conn.execute(CLOCK.format(name=name, kind=kind).encode())
                Migrator(conn).migrate()
                yield Years(conn)
        finally:
            admin.execute(f"drop database {DATABASE} with (force)")


def check_runs(years: Years) -> None:
    """See that no run is lost that is to be kept, and that none is kept for too long."""
    there = set(years.column("select run_id from pgflow.runs"))
    known = years.known
    assert there <= set(known)
    assert {run.run_id for run in known.values() if run.is_kept(years.now)} <= there
    assert not {run.run_id for run in known.values() if run.is_overdue(years.now)} & there
    for gone in set(known) - there:
        del known[gone]
    for table in ("step_states", "step_tasks"):
        assert set(years.column(f"select run_id from pgflow.{table}")) == there
    assert set(years.column("select run_id from pgflow.run_keys")) <= there
    newest = sorted(known.values(), key=lambda run: (run.started_at, run.run_id), reverse=True)
    page = years.call("list_runs", quantity=20)["runs"]
    assert [UUID(run["run_id"]) for run in page] == [run.run_id for run in newest[:20]]


def check_partitions(years: Years) -> None:
    """See that each month is in a partition, and each partition needed."""
    for table in TABLES:
        assert years.value(f"select count(*) from pgflow_partitions.{table}_default") == 0, table
    made = years.months()
    for table in TABLES[1:]:
        assert years.months(table) == [name.replace("runs", table, 1) for name in made]
    for ahead in range(4):
        month = month_of(month_of(years.now) + timedelta(days=31 * ahead))
        assert month == MONTHS[0] or f"runs_{month:%Y%m}" in made
    for name, ends_at in years.rows(
        "select partition_name, ends_at from pgflow.partitions where table_name = 'runs'"
        " and ends_at <= pg_catalog.now() - %s::interval",
        SHORTEST,
    ):
        assert years.value(f"select count(*) from pgflow_partitions.{name}") > 0, (name, ends_at)


@pytest.mark.slow
def test_five_years_go_by_and_each_run_is_kept_as_long_as_it_should(years: Years):
    number = 0
    for place, month in enumerate(MONTHS):
        years.conn.execute("select set_config('timezone', %s, false)", (ZONES[place % 7],))
        years.go_to(month)
        if month not in ABSENT:
            years.keep_up(by_workers=month.year % 2 == 0)
            check_runs(years)
            check_partitions(years)
        years.hire()
        # In the first and the last moment of the month, and on its 29th, if it has one.
        end = month_of(month + timedelta(days=31))
        for instant in sorted(
            {
                years.now + timedelta(milliseconds=1),
                min(month + timedelta(days=28, hours=1, minutes=30), end - timedelta(seconds=1)),
                end - timedelta(milliseconds=1),
            }
        ):
            years.go_to(instant)
            years.go_on()
            years.work(number)
            number += 1
        if month.month in {1, 7}:
            years.waiting.append((years.now + timedelta(days=500), years.begin("waiting")))
        if month.month == 3:
            years.finish(years.begin("ledger"))
        if month.month == 11 and month.year == 2027:
            years.begin("stuck")
        if month.month == 12:
            assert broken_rules(years.conn) == []
    assert number == 3 * len(MONTHS)
    # What nobody has touched for four years is still there to be done.
    [task] = years.claim(flows=["stuck"])
    assert years.known[task.run_id].slug == "stuck"
    assert sum(run.slug == "ledger" for run in years.known.values()) == 5
