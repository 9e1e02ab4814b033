"""Streams: what handlers emit is stored once and in order, and read from a cursor on."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, Refusal, mapping, step


@pytest.fixture
def told(pg: Engine) -> Engine:
    """Two flows: one of a single step, one of a map."""
    pg.flow("single", {"a": step()}, base_delay=0)
    pg.flow("maps", {"m": mapping(), "after": step("m")}, base_delay=0)
    return pg


def cost_of(pg: Engine, call: Any) -> tuple[Any, int]:
    """Make a call; give what it returned and how many entries of the items' indexes it read."""
    question = """
        select pg_stat_force_next_flush(), sum(idx_tup_read)::int
        from pg_stat_user_indexes where relname = 'stream_items'
    """
    pg.row(question)
    before = pg.row(question)[1]
    returned = call()
    pg.row(question)
    return returned, pg.row(question)[1] - before


def test_items_are_read_in_the_order_in_which_they_were_emitted(told: Engine):
    run_id = told.start("single")
    task = told.claim_one()
    assert told.append((task, 1, ["Hel", "lo"])) == []
    assert told.append((task, 3, [None]), (task, 4, [{"n": [1]}])) == []
    assert told.stream(run_id, "a") == ["Hel", "lo", None, {"n": [1]}]
    assert told.stream(run_id, "a", "position, number, attempt") == [
        (place, place, 1) for place in (1, 2, 3, 4)
    ]


def test_a_reader_goes_on_from_its_cursor_piece_by_piece(told: Engine):
    run_id = told.start("single")
    told.append((told.claim_one(), 1, list(range(10))))
    assert told.stream(run_id, "a", after=4, quantity=3) == [4, 5, 6]
    assert told.stream(run_id, "a", after=7) == [7, 8, 9]
    assert told.stream(run_id, "a", after=10) == []
    state = "select * from pgflow.get_stream_state(%s, 'a')"
    assert told.row(state, run_id) == (False, 10)


def test_a_call_that_is_repeated_stores_nothing_twice(told: Engine):
    run_id = told.start("single")
    task = told.claim_one()
    for _ in range(2):
        assert told.append((task, 1, ["a", "b"])) == []
    # Parts of it may have come another way.
    assert told.append((task, 2, ["b", "c"])) == []
    assert told.stream(run_id, "a") == ["a", "b", "c"]


def test_tasks_of_a_map_share_places_and_are_read_together_or_one_by_one(told: Engine):
    run_id = told.start("maps", ["x", "y", "z"])
    tasks = sorted(told.claim(), key=lambda task: task.index)
    told.append((tasks[2], 1, ["z1"]), (tasks[0], 1, ["x1", "x2"]))
    told.append((tasks[0], 3, ["x3"]), (tasks[2], 2, ["z2"]))
    rows = told.stream(run_id, "m", "position, task_index, value")
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert sorted(rows[:3], key=lambda row: row[1:]) == rows[:3]
    assert told.stream(run_id, "m", task_index=0) == ["x1", "x2", "x3"]
    assert told.stream(run_id, "m", task_index=2) == ["z1", "z2"]
    assert told.stream(run_id, "m", task_index=1) == []


def test_streams_of_many_runs_are_stored_in_one_call(told: Engine):
    ids = told.start_many("single", range(50))
    tasks = told.claim()
    assert told.append(*[(task, 1, [str(task.run_id), 2]) for task in tasks]) == []
    for run_id in ids:
        assert told.stream(run_id, "a", "position, value") == [(1, str(run_id)), (2, 2)]


def test_items_of_an_attempt_that_counts_no_longer_are_refused(told: Engine):
    run_id = told.start("single")
    first = told.claim_one()
    told.append((first, 1, ["old"]))
    told.fail(first)
    assert told.append((first, 2, ["late"])) == [Refusal("a", 0, 1, "queued")]
    second = told.claim_one()
    assert told.append((first, 2, ["late"]), (second, 1, ["new"])) == [
        Refusal("a", 0, 1, "stale_attempt")
    ]
    told.complete((second, 1))
    assert told.append((second, 2, ["late"])) == [Refusal("a", 0, 2, "completed")]
    assert told.append((second.__class__("single", uuid4(), "a", 0, 1, None, None), 1, [1])) == [
        Refusal("a", 0, 1, "unknown_task")
    ]
    assert told.stream(run_id, "a", all_attempts=True) == ["old", "new"]


def test_a_null_attempt_is_the_current_one(told: Engine):
    run_id = told.start("single")
    told.claim_one()
    append = "select * from pgflow.append_to_streams(%s, '{a}', '{0}', '{null}', '{1}', %s)"
    assert told.rows(append, [run_id], [psycopg.types.json.Jsonb(["x"])]) == []
    assert told.stream(run_id, "a", "attempt, value") == [(1, "x")]


def test_what_is_read_is_the_latest_attempt_unless_all_are_asked_for(told: Engine):
    run_id = told.start("single")
    first = told.claim_one()
    told.append((first, 1, ["one", "two"]))
    told.fail(first)
    # The attempt failed, and there is no later one yet.
    assert told.stream(run_id, "a") == ["one", "two"]
    second = told.claim_one()
    assert told.stream(run_id, "a") == []
    told.append((second, 1, ["three"]))
    assert told.stream(run_id, "a", "position, attempt, number, value") == [(3, 2, 1, "three")]
    assert told.stream(run_id, "a", "attempt, value", all_attempts=True) == [
        (1, "one"),
        (1, "two"),
        (2, "three"),
    ]


def test_the_stream_of_a_failed_run_stays_and_goes_on_when_it_is_retried(told: Engine):
    run_id = told.start("single")
    first = told.claim_one()
    told.append((first, 1, ["one"]))
    told.fail(first, final=True)
    assert told.is_stream_ended(run_id, "a")
    assert told.stream(run_id, "a") == ["one"]
    told.rows("select * from pgflow.retry_run(%s)", run_id)
    assert not told.is_stream_ended(run_id, "a")
    assert told.append((first, 2, ["late"])) != []
    told.append((told.claim_one(), 1, ["two"]))
    assert told.stream(run_id, "a", "position, value") == [(2, "two")]
    assert told.stream(run_id, "a", all_attempts=True) == ["one", "two"]


def test_a_stream_ends_with_its_task_and_its_step(told: Engine):
    run_id = told.start("maps", [1, 2])
    assert not told.is_stream_ended(run_id, "after")
    first, second = told.claim()
    assert not told.is_stream_ended(run_id, "m", first.index)
    told.complete((first, 1))
    assert told.is_stream_ended(run_id, "m", first.index)
    assert not told.is_stream_ended(run_id, "m", second.index)
    assert not told.is_stream_ended(run_id, "m")
    assert told.is_stream_ended(run_id, "m", 2)
    told.complete((second, 1))
    assert told.is_stream_ended(run_id, "m")
    told.rows("select * from pgflow.cancel_run(%s)", run_id)
    assert told.is_stream_ended(run_id, "after")
    assert told.is_stream_ended(run_id, "after", 0)


def test_unknown_runs_and_steps_are_named(told: Engine):
    run_id = told.start("single")
    for unknown, sqlstate in (((uuid4(), "a"), "PF002"), ((run_id, "b"), "PF003")):
        with pytest.raises(psycopg.Error) as raised:
            told.is_stream_ended(*unknown)
        assert raised.value.sqlstate == sqlstate


def test_arrays_of_different_lengths_are_refused(told: Engine):
    run_id = told.start("single")
    told.claim_one()
    with pytest.raises(psycopg.Error) as raised:
        told.rows(
            "select * from pgflow.append_to_streams(%s, '{a}', '{0}', '{1}', '{1}', '{}')", [run_id]
        )
    assert raised.value.sqlstate == "PF008"


def test_streams_go_with_their_runs(told: Engine):
    told.start("single")
    kept = told.start("maps", [1])
    for task in told.claim():
        told.append((task, 1, ["item"]))
    told.conn.execute("select pgflow.delete_flow_and_data('single')")
    for table in ("streams", "stream_items"):
        assert told.column(f"select run_id from pgflow.{table}") == [kept]
    told.value("select pgflow.cancel_flow_runs('maps')")
    assert told.value("select pgflow.prune_data_older_than('0')") == 1
    for table in ("streams", "stream_items"):
        assert told.value(f"select count(*) from pgflow.{table}") == 0


def test_watchers_are_told_of_items_and_nobody_else(told: Engine, db: str):
    watched, other = told.start("single"), told.start("single")
    tasks = {task.run_id: task for task in told.claim()}
    with psycopg.connect(db, autocommit=True) as listener:
        listener.execute("listen pgflow_streams")
        told.append((tasks[watched], 1, ["unseen"]))
        told.call("watch_runs", uuid4(), [watched])
        told.append((tasks[other], 1, [1]), (tasks[watched], 2, [1]), (tasks[watched], 3, [1]))
        told.conn.execute("select pg_notify('pgflow_streams', 'end')")
        heard = [notify.payload for notify in listener.notifies(timeout=10, stop_after=2)]
    assert heard == [str(watched), "end"]


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_a_look_reads_what_is_new_and_not_what_was(told: Engine, is_analyzed: bool):
    run_id = told.start("maps", [0, 1])
    tasks = sorted(told.claim(), key=lambda task: task.index)
    told.append((tasks[0], 1, list(range(3000))), (tasks[1], 1, list(range(3000))))
    told.append((tasks[0], 3001, ["last"]))
    if is_analyzed:
        told.conn.execute("vacuum analyze pgflow.stream_items")
    found, entries = cost_of(told, lambda: told.stream(run_id, "m", after=5998))
    assert found == [2998, 2999, "last"]
    assert entries < 50
    found, entries = cost_of(told, lambda: told.stream(run_id, "m", task_index=1, after=6001))
    assert found == []
    assert entries < 50
    # Appending looks at nothing that is there but the key of what is new.
    _, entries = cost_of(told, lambda: told.append((tasks[1], 3001, ["more"])))
    assert entries < 50
