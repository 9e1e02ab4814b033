"""Looks at a queue that begin where an earlier one ended, while old entries make them slow."""

from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, step


@pytest.fixture
def queued(pg: Engine) -> list[UUID]:
    """Runs whose tasks are a second apart in the queue."""
    pg.flow("site", {"a": step()})
    run_ids = [pg.start("site") for _ in range(5)]
    for seconds, run_id in enumerate(run_ids):
        pg.rows(
            "update pgflow.step_tasks set order_at = now() + make_interval(secs => %s)"
            " where run_id = %s returning 1",
            seconds,
            run_id,
        )
    return run_ids


def note(pg: Engine, run_id: UUID, slug: str = "site", lasts: int = 60) -> None:
    pg.value(
        "select pgflow._note_queue(%s, 0::smallint, order_at,"
        " clock_timestamp() + make_interval(secs => %s)) from pgflow.step_tasks where run_id = %s",
        slug,
        lasts,
        run_id,
    )


def claimed(pg: Engine, quantity: int = 1) -> list[UUID]:
    return [task.run_id for task in pg.claim(quantity)]


def test_a_look_begins_at_the_note_and_at_the_beginning_once_nothing_is_left(
    pg: Engine, queued: list[UUID]
):
    note(pg, queued[2])
    found = [claimed(pg)[0] for _ in queued]
    assert found == [*queued[2:], *queued[:2]]
    assert claimed(pg) == []


def test_the_note_moves_with_what_is_claimed(pg: Engine, queued: list[UUID]):
    note(pg, queued[1])
    assert claimed(pg, 2) == queued[1:3]
    pg.rows(
        "update pgflow.step_tasks set status = 'queued', started_at = null, last_worker_id = null"
        " where run_id = %s returning 1",
        queued[1],
    )
    assert claimed(pg, 2) == queued[3:]


def test_a_higher_priority_is_claimed_first_wherever_the_note_is(pg: Engine, queued: list[UUID]):
    note(pg, queued[2])
    urgent = pg.start("site", priority=1)
    assert claimed(pg) == [urgent]


@pytest.mark.parametrize("lasts", [0, -1])
def test_a_note_that_has_served_its_time_is_not_heeded(pg: Engine, queued: list[UUID], lasts: int):
    note(pg, queued[2], lasts=lasts)
    assert [claimed(pg)[0] for _ in queued] == queued


def test_a_note_is_of_one_flow_and_of_one_session(pg: Engine, queued: list[UUID], db: str):
    note(pg, queued[2], slug="site@2")
    assert claimed(pg) == queued[:1]
    note(pg, queued[3])
    with psycopg.connect(db, autocommit=True) as conn:
        other = Engine(conn)
        other.serve("site")
        assert claimed(other) == queued[1:2]


def test_a_quick_look_leaves_no_note(pg: Engine, queued: list[UUID]):
    claimed(pg)
    assert pg.value("select current_setting('pgflow.queue_site', true)") in (None, "")


@pytest.mark.parametrize("text", ["x", "0 1", "0 1 1 1", "0 1 9999999999999999999", " "])
def test_a_note_that_makes_no_sense_is_not_heeded(pg: Engine, queued: list[UUID], text: str):
    pg.value("select set_config('pgflow.queue_site', %s, false)", text)
    assert claimed(pg) == queued[:1]
