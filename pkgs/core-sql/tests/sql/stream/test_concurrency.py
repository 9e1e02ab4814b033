"""Appending beside others: places become visible in their order, and nothing follows an end."""

from collections.abc import Iterator

import pytest
from core_sql_support import Engine, Refusal, Session, is_blocked, mapping, sessions, step

from tests.support import until


@pytest.fixture
def two(pg: Engine, db: str) -> Iterator[list[Session]]:
    pg.flow("maps", {"m": mapping()}, base_delay=0)
    pg.flow("single", {"a": step()}, base_delay=0)
    with sessions(db, 2, pg.flows) as opened:
        yield opened


def test_places_of_a_step_become_visible_in_their_order(pg: Engine, two: list[Session]):
    run_id = pg.start("maps", [0, 1])
    tasks = sorted(pg.claim(), key=lambda task: task.index)
    one, other = two
    one.append((tasks[0], 1, ["first"]))
    second = other.later(lambda: other.append((tasks[1], 1, ["second"])))
    until(lambda: is_blocked(pg.conn, other))
    # Whoever reads now must not see the later place without the earlier one.
    assert pg.stream(run_id, "m") == []
    one.commit()
    assert second.result() == []
    other.commit()
    assert pg.stream(run_id, "m", "position, value") == [(1, "first"), (2, "second")]


def test_streams_of_different_steps_do_not_wait_for_each_other(pg: Engine, two: list[Session]):
    ids = [pg.start("single") for _ in range(2)]
    tasks = pg.claim()
    for session, task in zip(two, tasks, strict=True):
        assert session.append((task, 1, ["item"])) == []
    for session in two:
        session.commit()
    assert [pg.stream(run_id, "a") for run_id in ids] == [["item"], ["item"]]


def test_the_end_of_a_run_waits_for_items_on_their_way_and_refuses_later_ones(
    pg: Engine, two: list[Session]
):
    run_id = pg.start("single")
    task = pg.claim_one()
    one, other = two
    one.append((task, 1, ["in time"]))
    cancelling = other.later(lambda: other.rows("select * from pgflow.cancel_run(%s)", run_id))
    until(lambda: is_blocked(pg.conn, other))
    one.commit()
    cancelling.result()
    late = one.later(lambda: one.append((task, 2, ["late"])))
    until(lambda: is_blocked(pg.conn, one))
    other.commit()
    assert late.result() == [Refusal("a", 0, 1, "cancelled")]
    one.commit()
    assert pg.stream(run_id, "a") == ["in time"]
    assert pg.is_stream_ended(run_id, "a")


def test_no_item_of_a_lost_attempt_comes_after_one_of_the_next(pg: Engine, two: list[Session]):
    run_id = pg.start("single")
    task = pg.claim_one()
    one, other = two
    one.append((task, 1, ["old"]))
    releasing = other.later(lambda: other.release(task))
    until(lambda: is_blocked(pg.conn, other))
    one.commit()
    assert releasing.result() == 1
    other.commit()
    pg.append((pg.claim_one(), 1, ["new"]))
    assert one.append((task, 2, ["late"])) == [Refusal("a", 0, 1, "stale_attempt")]
    one.commit()
    assert pg.stream(run_id, "a", all_attempts=True) == ["old", "new"]


def test_a_run_that_is_deleted_leaves_no_item_that_was_on_its_way(pg: Engine, two: list[Session]):
    pg.start("single")
    task = pg.claim_one()
    one, other = two
    one.append((task, 1, ["in time"]))
    deleting = other.later(lambda: other.call("delete_flow_and_data", "single"))
    until(lambda: is_blocked(pg.conn, other))
    one.commit()
    deleting.result()
    other.commit()
    assert pg.value("select count(*) from pgflow.stream_items") == 0
    assert one.append((task, 2, ["late"])) == [Refusal("a", 0, 1, "unknown_task")]
