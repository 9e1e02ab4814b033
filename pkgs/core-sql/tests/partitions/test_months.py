"""Months that are made ahead and dropped when they are over, through simulated years."""

from datetime import timedelta

import psycopg
import pytest
from pgflow_core_sql import Migrator
from psycopg.types.json import Jsonb

from .conftest import (
    TABLES,
    History,
    add_months,
    forget_last_months,
    months_ago,
    partition_name,
)


def runs_of(history: History) -> int:
    return history.value("select count(*) from pgflow.runs")


def keep(history: History, retention: str | None, slug: str | None = None) -> None:
    history.call("set_retention", retention, slug)


def test_partitions_are_made_for_the_time_to_come_and_only_once(history: History):
    made = history.until_none("create_partitions", "5 months")
    wanted = [partition_name("runs", months_ago(-ahead)) for ahead in range(1, 6)]
    assert [name for name in made if name.startswith("runs_")] == wanted
    assert len(made) == len(TABLES) * len(wanted)
    assert history.call("create_partitions", "5 months") is None

    to_come = history.start_at(months_ago(-4))
    for table in ("runs", "step_states", "step_tasks"):
        assert history.value(
            f"select tableoid::regclass::text from pgflow.{table} where run_id = %s limit 1",
            to_come,
        ) == "pgflow_partitions." + partition_name(table, months_ago(-4))


@pytest.mark.slow
def test_months_of_years_are_dropped_in_order_with_all_that_belongs_to_them(history: History):
    add_months(history.conn, 8, 30)
    for number in range(25):
        history.end(history.start_at(months_ago(number), idempotency_key=f"key {number}"))
    keep(history, "395 days")
    assert history.until_none("create_partitions") != []
    before = history.months()

    dropped = history.drop()

    assert dropped == before[: len(dropped)]
    kept = history.column("select distinct run_id from pgflow.runs order by run_id")
    assert 13 <= len(kept) <= 15
    for table in TABLES:
        assert history.months(table) == [
            name.replace("runs", table, 1) for name in before[len(dropped) :]
        ]
    assert history.column("select run_id from pgflow.run_keys order by run_id") == kept
    assert history.column("select distinct run_id from pgflow.step_tasks order by run_id") == kept


def test_a_month_with_a_run_under_way_is_kept_and_later_ones_go(history: History):
    open_run = history.start_at(months_ago(6))
    neighbour = history.start_at(months_ago(6))
    history.end(neighbour, history.start_at(months_ago(5)))
    keep(history, "60 days")

    assert partition_name("runs", months_ago(5)) in history.drop()
    assert history.months()[0] == partition_name("runs", months_ago(6))
    # What has ended there goes by itself, a day later than the month could have.
    assert history.call("prune_by_policy") == 1
    assert history.column("select run_id from pgflow.runs") == [open_run]

    history.complete(*((task, 1) for task in history.claim()))
    history.complete(*((task, 1) for task in history.claim()))
    assert history.drop() == []
    keep(history, "0")
    assert history.drop()[0] == partition_name("runs", months_ago(6))


def test_a_run_that_ended_late_keeps_its_month(history: History):
    late = history.start_at(months_ago(6))
    history.end(late, after=timedelta(days=170))
    keep(history, "60 days")
    assert partition_name("runs", months_ago(6)) not in history.drop()
    assert history.call("prune_by_policy") == 0
    assert runs_of(history) == 1


def test_a_month_goes_when_the_policies_of_all_flows_in_it_are_over(history: History):
    history.flow("invoice", {"only": {}})
    history.end(history.start_at(months_ago(6)))
    history.end(invoice := history.start_at(months_ago(6), "invoice"))
    history.end(history.start_at(months_ago(5)))
    keep(history, "60 days", "chain")

    assert partition_name("runs", months_ago(5)) in history.drop()
    assert history.months()[0] == partition_name("runs", months_ago(6))
    assert history.call("prune_by_policy") == 1
    assert history.column("select run_id from pgflow.runs") == [invoice]

    keep(history, "1 year", "invoice")
    assert history.drop() == []
    keep(history, "100 days", "invoice")
    assert history.drop() == [partition_name("runs", months_ago(6))]


def test_versions_of_a_flow_are_kept_as_long_as_its_policy_says(history: History):
    shape = {"flow_slug": "chain", "options": {}, "steps": [{"slug": "only"}]}
    history.call("ensure_flow_compiled", "chain", Jsonb(shape), make_version=True)
    history.end(history.start_at(months_ago(6)))
    assert history.column("select flow_slug from pgflow.runs") == ["chain@2"]
    keep(history, "30 days")
    keep(history, "1 year", "chain")
    assert partition_name("runs", months_ago(6)) not in history.drop()
    keep(history, "60 days", "chain")
    assert history.drop() == [partition_name("runs", months_ago(6))]


def test_whole_months_are_left_to_be_dropped_and_not_deleted_row_by_row(history: History):
    # A month that could have been dropped for half a day, which is not long enough.
    ends_at = history.value(
        "select ends_at from pgflow.partitions where partition_name = %s",
        partition_name("runs", months_ago(5)),
    )
    history.end(history.start_at(ends_at - timedelta(days=20)))
    age = history.value("select now() - %s::timestamptz", ends_at)
    history.conn.execute("select pgflow.set_retention(%s)", (age - timedelta(hours=12),))
    assert history.call("prune_by_policy") == 0
    assert partition_name("runs", months_ago(5)) in history.drop()


def test_without_a_policy_or_a_span_nothing_is_dropped(history: History):
    history.end(history.start_at(months_ago(7)))
    assert history.drop() == []
    keep(history, "1 day", history.flow("another", {"only": {}}))
    assert partition_name("runs", months_ago(7)) not in history.drop()
    assert history.drop("100 years") == []
    assert runs_of(history) == 1
    assert partition_name("runs", months_ago(7)) in history.drop("30 days")
    assert runs_of(history) == 0


def test_runs_with_random_ids_are_in_no_month_and_pruned_one_by_one(history: History):
    given = history.start("chain", run_id="ffffffff-ffff-4fff-bfff-ffffffffffff")
    history.conn.execute("update pgflow.runs set started_at = now() - interval '2 years'")
    history.end(given)
    keep(history, "30 days", history.flow("another", {"only": {}}))
    keep(history, "1 year", "chain")
    assert len(history.drop()) >= 5
    assert runs_of(history) == 1
    assert history.call("prune_by_policy") == 1


def test_runs_of_a_month_that_had_no_partition_move_into_it(history: History):
    early = history.start_at(months_ago(-2))
    history.until_none("create_partitions")
    assert history.value(
        "select tableoid::regclass::text from pgflow.runs where run_id = %s", early
    ) == "pgflow_partitions." + partition_name("runs", months_ago(-2))
    assert [task.run_id for task in history.claim()] == [early]


def test_months_that_nobody_kept_get_partitions_if_runs_were_started_in_them(history: History):
    forget_last_months(history)
    runs = {history.start_at(months_ago(number)) for number in (5, 3, 1)}
    made = history.until_none("create_partitions", "0 days")
    assert [name for name in made if name.startswith("runs_")] == [
        partition_name("runs", months_ago(number)) for number in (3, 1, 0)
    ]
    for table in TABLES:
        assert history.value(f"select count(*) from pgflow_partitions.{table}_default") == 0
    assert {task.run_id for task in history.claim()} == runs


def test_a_month_that_nobody_kept_is_not_dropped_before_all_of_it_has_moved_there(
    history: History,
):
    forget_last_months(history)
    history.end(history.start_at(months_ago(2)))
    while history.call("create_partitions") is not None:
        history.call("drop_partitions", "0 days")
    history.drop("0 days")
    for table in TABLES:
        assert history.value(f"select count(*) from pgflow.{table}") == 0, table


def test_a_sweep_leaves_a_month_that_has_much_to_move_and_makes_others(history: History):
    forget_last_months(history)
    # 70 MB, which nothing compresses.
    history.conn.execute(
        "alter table pgflow_partitions.runs_default alter input set storage external"
    )
    history.start_at(months_ago(1))
    history.start("chain", "x" * 70_000_000)
    history.call("setup_maintenance", done_by="workers")

    def sweep() -> None:
        history.conn.execute("update pgflow.maintenance set due_at = now()")
        history.call("requeue_stalled_tasks")

    ahead = [partition_name("runs", months_ago(-number)) for number in (1, 2, 3)]
    for _ in range(3 * len(TABLES) + 1):
        sweep()
    assert history.months()[-4:] == [partition_name("runs", months_ago(4)), *ahead]

    # Whoever asks for it gets it; and what was begun is brought to its end.
    begun = history.call("create_partitions")
    assert begun == partition_name(TABLES[-1], months_ago(1))
    for _ in TABLES:
        sweep()
    assert history.months()[-4:] == [partition_name("runs", months_ago(1)), *ahead]
    for table in TABLES:
        assert partition_name(table, months_ago(1)) in history.months(table)


def test_a_run_of_a_dropped_month_that_comes_late_is_not_lost(history: History):
    history.until_none("create_partitions")
    history.end(history.start_at(months_ago(7)))
    keep(history, "60 days")
    assert history.call("drop_partitions").startswith("runs_")
    while history.months()[0] <= partition_name("runs", months_ago(7)):
        history.call("drop_partitions")
    late = history.start_at(months_ago(7))
    history.drop()
    [first] = history.claim()
    history.complete((first, 1))
    [last] = history.claim()
    assert (first.run_id, last.run_id) == (late, late)
    history.complete((last, 1))


def test_a_place_in_one_partition_is_not_taken_for_the_same_one_in_another(history: History):
    for number in (3, 2, 1):
        history.start_at(months_ago(number))
    statuses = "select status from pgflow.step_tasks where step_slug = 'first' order by status"
    [first] = history.claim(1)
    assert history.column(statuses) == ["queued", "queued", "started"]
    second, third = history.claim(2)

    history.complete((first, 1))
    assert history.column(statuses) == ["completed", "started", "started"]
    history.fail(second, final=True)
    assert history.column(statuses) == ["completed", "failed", "started"]
    assert history.call("release_tasks", [third.run_id], ["first"], [0], [1]) == 1
    assert history.column(statuses) == ["completed", "failed", "queued"]
    assert history.column("select status from pgflow.step_states order by status") == [
        *("cancelled", "completed", "created", "failed", "started", "started")
    ]
    assert history.column("select status from pgflow.runs order by status") == [
        *("failed", "started", "started")
    ]


def test_workers_make_and_drop_partitions_in_their_sweep(history: History):
    history.end(history.start_at(months_ago(7)))
    keep(history, "60 days")
    history.call("setup_maintenance", done_by="workers")

    def is_done() -> bool:
        history.call("requeue_stalled_tasks")
        history.conn.execute("update pgflow.maintenance set due_at = now()")
        return history.rows("select pgflow.create_partitions(), pgflow.drop_partitions()") == [
            (None, None)
        ]

    assert not is_done()
    sweeps = 1
    while not is_done():
        sweeps += 1
        assert sweeps < 1000
    assert history.months()[-1] == partition_name("runs", months_ago(-3))
    assert runs_of(history) == 0


def test_a_newer_install_moves_partitioned_tables_too(history: History):
    history.conn.execute("alter table pgflow.runs add column added int")
    history.conn.execute("create index runs_added_idx on pgflow.runs (added)")
    history.until_none("create_partitions")
    assert Migrator(history.conn).drift() == ()
    assert history.value(
        "select count(*) from pg_attribute where attname = 'added'"
        " and attrelid::regclass::text ~ '^pgflow_partitions.runs_\\d{6}$'"
    ) == len(history.months())


@pytest.mark.parametrize("ahead", [None, "-1 day", "11 years"])
def test_a_span_ahead_is_not_negative_and_not_too_long(history: History, ahead: str | None):
    for function in ("create_partitions", "partition_by_month"):
        with pytest.raises(psycopg.Error) as refused:
            history.call(function, ahead)
        assert refused.value.sqlstate == "PF015"


def test_dropping_takes_a_span_that_is_not_negative_and_sees_what_others_commit(history: History):
    with pytest.raises(psycopg.Error) as refused:
        history.call("drop_partitions", "-1 day")
    assert refused.value.sqlstate == "PF015"
    with history.conn.transaction():
        history.conn.execute("set transaction isolation level repeatable read")
        with pytest.raises(psycopg.Error) as refused, history.conn.transaction():
            history.call("drop_partitions", "1 day")
        assert refused.value.sqlstate == "PF015"
