"""Delays that are skipped: what waits comes due at once, and nothing else changes."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step


def test_what_waits_comes_due_at_once(pg: Engine):
    pg.flow("site", {"fetch": step(start_delay=600), "each": mapping()}, base_delay=600)
    run_id = pg.start("site", [1, 2])
    pg.fail(*pg.claim())
    assert pg.claim() == []
    assert pg.call("skip_delays", run_id) == 3
    assert {(task.step, task.index, task.attempt) for task in pg.claim()} == {
        ("fetch", 0, 1),
        ("each", 0, 2),
        ("each", 1, 2),
    }


def test_a_run_with_a_delay_begins_now_and_so_do_its_later_steps(pg: Engine):
    pg.flow("site", {"fetch": step(), "store": step("fetch")})
    run_id = pg.start("site", delay=timedelta(hours=1))
    assert pg.claim() == []
    assert pg.call("skip_delays", run_id) == 1
    pg.complete((pg.claim_one("fetch"), 1))
    pg.complete((pg.claim_one("store"), 1))
    assert pg.run(run_id, "status") == "completed"


def test_nothing_that_waits_is_no_error_and_other_runs_go_on_waiting(pg: Engine):
    pg.flow("site", {"fetch": step(start_delay=600)})
    run_id, other = pg.start("site"), pg.start("site")
    assert [pg.call("skip_delays", run_id), pg.call("skip_delays", run_id)] == [1, 0]
    assert [task.run_id for task in pg.claim()] == [run_id]
    assert pg.tasks(other, "fetch") == ["queued"]


def test_an_unknown_run_is_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error) as refused:
        pg.call("skip_delays", uuid4())
    assert refused.value.sqlstate == "PF002"
