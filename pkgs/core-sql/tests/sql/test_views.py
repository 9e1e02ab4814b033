"""The views for people: what they tell, and that a long history does not make them slow."""

from datetime import timedelta
from typing import Any

import pytest
from core_sql_support import Engine, step

HOUR = timedelta(hours=1)


@pytest.fixture
def site(pg: Engine) -> Engine:
    pg.flow("site", {"a": step(), "b": step("a")}, max_attempts=1)
    pg.flow("quiet", {"a": step()})
    return pg


def took(pg: Engine, run_id: Any, span: timedelta) -> None:
    """Make a run look as though it had taken so long."""
    pg.conn.execute(
        "update pgflow.runs set started_at = now() - interval '2 hours',"
        " completed_at = now() - interval '2 hours' + %s where run_id = %s",
        (span, run_id),
    )


def test_a_run_is_told_with_how_far_it_is(site: Engine):
    under_way, failed, cancelled, done = site.start_many("site", range(4), priority=3)
    tasks = {task.run_id: task for task in site.claim()}
    site.complete((tasks[under_way], 1), (tasks[done], 1))
    site.fail(tasks[failed], message="no luck")
    site.rows("select * from pgflow.cancel_run(%s, 'not needed')", cancelled)
    last = next(task for task in site.claim() if task.run_id == done)
    site.complete((last, 1))

    columns = (
        "status, priority, total_steps, done_steps, running_steps, failed_step_slug, error_message,"
        " ended_at is null, duration >= '0'"
    )
    told = {
        run_id: site.row(f"select {columns} from pgflow.run_overview where run_id = %s", run_id)
        for run_id in (under_way, failed, cancelled, done)
    }
    assert told == {
        under_way: ("started", 3, 2, 1, ["b"], None, None, True, True),
        failed: ("failed", 3, 2, 0, None, "a", "no luck", False, True),
        cancelled: ("cancelled", 3, 2, 0, None, None, "not needed", False, True),
        done: ("completed", 3, 2, 2, None, None, None, False, True),
    }


def test_a_flow_is_told_with_how_its_runs_of_a_day_fared(site: Engine):
    runs = site.start_many("quiet", range(5))
    site.drain()
    for minutes, run_id in zip((1, 2, 3, 4, 60), runs, strict=True):
        took(site, run_id, timedelta(minutes=minutes))
    failed, cancelled, _ = site.start_many("site", range(3))
    [task, *_] = [task for task in site.claim() if task.run_id == failed]
    site.fail(task)
    site.rows("select * from pgflow.cancel_run(%s)", cancelled)

    told = site.rows("select * from pgflow.flow_stats order by flow_slug desc")
    minute = timedelta(minutes=1)
    assert [row[:6] for row in told] == [
        ("site", 1, 0, 1, 1, None),
        ("quiet", 0, 5, 0, 0, 3 * minute),
    ]
    assert 4 * minute < told[1][6] < 60 * minute


def test_a_flow_that_never_ran_is_told_too(site: Engine):
    assert site.rows("select * from pgflow.flow_stats where flow_slug = 'quiet'") == [
        ("quiet", 0, 0, 0, 0, None, None)
    ]
    assert site.rows("select * from pgflow.queue_depth where flow_slug = 'quiet'") == [
        ("quiet", 0, None, 0, 0)
    ]


def test_a_queue_is_told_by_what_is_ready_delayed_and_held(site: Engine):
    *_, last = site.start_many("site", range(4))
    site.start("site", delay=HOUR)
    site.claim(1)
    site.conn.execute(
        "update pgflow.step_tasks set queued_at = now() - interval '1 hour' where run_id = %s",
        (last,),
    )
    ready, oldest, delayed, started = site.row(
        "select ready_tasks, oldest_ready, delayed_tasks, started_tasks from pgflow.queue_depth"
        " where flow_slug = 'site'"
    )
    assert (ready, delayed, started) == (3, 1, 1)
    assert HOUR <= oldest < 2 * HOUR
