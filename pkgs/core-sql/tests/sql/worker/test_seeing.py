"""What workers ask to tell of themselves: retries, traces and the depth of queues."""

from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step
from psycopg.types.json import Jsonb

HEADERS = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def retries(pg: Engine, *keys: tuple[object, str, int, int]) -> list[tuple[object, ...]]:
    columns = [list(column) for column in zip(*keys, strict=True)]
    return pg.rows(
        "select step_slug, task_index, attempt, retry_in"
        " from pgflow.find_retries(%s::uuid[], %s, %s, %s) order by 1, 2, 3",
        *columns,
    )


def test_a_retry_has_a_time_and_the_last_failure_none(pg: Engine):
    pg.flow("site", {"fetch": step()}, max_attempts=2, base_delay=0)
    pg.start("site")
    first = pg.claim_one()
    pg.fail(first, delay=100)
    [(slug, index, attempt, retry_in)] = retries(pg, (first.run_id, "fetch", 0, 1))
    assert (slug, index, attempt) == ("fetch", 0, 1)
    assert 0 < retry_in <= 100
    pg.come_due()
    pg.fail(pg.claim_one())
    both = retries(pg, (first.run_id, "fetch", 0, 1), (first.run_id, "fetch", 0, 2))
    assert both[1] == ("fetch", 0, 2, None)


def test_attempts_that_did_not_fail_have_no_row(pg: Engine):
    pg.flow("site", {"fetch": step()})
    pg.start("site")
    task = pg.claim_one()
    assert retries(pg, (task.run_id, "fetch", 0, 1), (uuid4(), "fetch", 0, 1)) == []


def test_arrays_of_different_lengths_are_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error) as refused:
        pg.rows("select pgflow.find_retries(array[]::uuid[], array['a'], array[]::int[], '{1}')")
    assert refused.value.sqlstate == "PF008"


def test_traces_are_those_of_runs_that_have_one(pg: Engine):
    pg.flow("site", {"fetch": step()})
    traced = pg.start("site", trace_context=Jsonb(HEADERS))
    untraced = pg.start("site")
    rows = pg.rows(
        "select run_id, trace_context from pgflow.get_trace_contexts(%s)",
        [traced, untraced, uuid4()],
    )
    assert rows == [(traced, HEADERS)]


def test_the_depth_of_a_queue_counts_what_is_not_done(pg: Engine):
    pg.flow("site", {"fetch": mapping()})
    pg.flow("idle", {"fetch": step()})
    pg.start("site", [1, 2, 3, 4])
    claimed = pg.claim(2)
    pg.fail(claimed[0], delay=100)
    rows = pg.rows(
        "select flow_slug, ready_tasks, delayed_tasks, started_tasks, oldest_ready is null"
        " from pgflow.get_queue_depth(%s) order by 1",
        ["site", "idle", "unknown"],
    )
    assert rows == [("idle", 0, 0, 0, True), ("site", 2, 1, 1, False)]
