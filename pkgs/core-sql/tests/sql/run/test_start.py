"""Starting runs: one, many, with maps over the input, with nothing to do, and with bad input."""

import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step


def milliseconds_of(run_id: UUID) -> int:
    return run_id.int >> 80


def test_a_run_has_an_id_that_is_ordered_by_time(pg: Engine):
    pg.flow("site", {"a": step()})
    before = int(time.time() * 1000) - 1000
    ids = [pg.start("site") for _ in range(20)]
    assert {run_id.version for run_id in ids} == {7}
    assert {run_id.variant for run_id in ids} == {"specified in RFC 4122"}
    moments = [milliseconds_of(run_id) for run_id in ids]
    assert ids == sorted(ids)
    assert before < moments[0]
    assert moments[-1] < before + 60_000


def test_root_steps_start_and_others_wait(pg: Engine):
    pg.flow("site", {"a": step(), "m": mapping(), "b": step("a", "m")})
    run_id = pg.start("site", [1, 2, 3])
    assert pg.steps(run_id) == {"a": "started", "m": "started", "b": "created"}
    assert pg.run(run_id, "status, remaining_steps, input") == ("started", 3, [1, 2, 3])
    assert pg.tasks(run_id, "a") == ["queued"]
    assert pg.tasks(run_id, "m") == ["queued"] * 3
    assert pg.step(run_id, "b", "remaining_deps, initial_tasks, remaining_tasks") == (2, 1, None)


def test_a_run_may_have_an_id_of_its_starter(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = uuid4()
    assert pg.start("site", run_id=run_id) == run_id


def test_an_id_that_is_taken_is_refused_and_starts_nothing(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    with pytest.raises(psycopg.errors.Error, match="already taken") as refused:
        pg.start_many("site", [{}, {}], run_ids=[uuid4(), run_id])
    assert refused.value.sqlstate == "PF009"
    assert str(run_id) in str(refused.value.diag.message_detail)
    assert pg.value("select count(*) from pgflow.runs") == 1
    assert pg.value("select count(*) from pgflow.step_tasks") == 1


def test_many_runs_are_started_in_one_call_in_the_order_of_their_inputs(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", range(50))
    assert [pg.run(run_id, "input") for run_id in ids] == list(range(50))
    assert {task.flow_input for task in pg.claim()} == set(range(50))


def test_ten_thousand_runs_are_started_in_one_call(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    ids = pg.start_many("site", range(10_000))
    assert len(set(ids)) == 10_000
    assert ids == sorted(ids)
    assert pg.value("select array_agg(run_id order by input::int) from pgflow.runs") == ids
    assert pg.row(
        "select count(*) filter (where step_slug = 'a'), count(*) from pgflow.step_tasks"
    ) == (10_000, 10_000)
    assert [task.run_id for task in pg.claim(10)] == ids[:10]


def test_many_runs_may_have_ids_of_their_starter_in_the_same_order(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = [uuid4() for _ in range(10)]
    assert pg.start_many("site", range(10), run_ids=ids) == ids
    assert [pg.run(run_id, "input") for run_id in ids] == list(range(10))


def test_no_inputs_start_no_runs(pg: Engine):
    pg.flow("site", {"a": step()})
    assert pg.start_many("site", []) == []
    assert pg.value("select count(*) from pgflow.runs") == 0


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, "text", [None]])
def test_any_json_is_an_input(pg: Engine, value: Any):
    pg.flow("site", {"a": step()})
    [run_id] = pg.start_many("site", [value])
    assert pg.run(run_id, "input") == value
    assert pg.claim_one("a").flow_input == value


def test_a_flow_without_steps_is_completed_at_once(pg: Engine):
    pg.flow("empty", {})
    run_id = pg.start("empty")
    assert pg.run(run_id) == ("completed", 0, {})


def test_a_flow_of_empty_maps_is_completed_at_once(pg: Engine):
    pg.flow("maps", {"m": mapping(), "n": mapping("m"), "o": step("n", start_delay=0)})
    run_id = pg.start("maps", [])
    assert pg.steps(run_id) == {"m": "completed", "n": "completed", "o": "started"}
    assert pg.claim_one("o").input == {"n": []}


def test_every_root_map_maps_over_the_same_input(pg: Engine):
    pg.flow("maps", {"m": mapping(), "n": mapping()})
    run_id = pg.start("maps", [7, 8])
    claimed = {(task.step, task.index, task.input) for task in pg.claim()}
    assert claimed == {("m", 0, 7), ("m", 1, 8), ("n", 0, 7), ("n", 1, 8)}
    assert pg.steps(run_id, "initial_tasks") == {"m": 2, "n": 2}


def test_an_unknown_flow_is_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error, match="flow ghost does not exist") as refused:
        pg.start("ghost")
    assert refused.value.sqlstate == "PF001"
    assert "compile the flow first" in str(refused.value.diag.message_hint)


def test_sql_null_is_no_input(pg: Engine):
    pg.flow("site", {"a": step()})
    with pytest.raises(psycopg.errors.Error, match="NULL as its input") as refused:
        pg.conn.execute("select pgflow.start_flow('site', null)")
    assert refused.value.sqlstate == "PF006"


@pytest.mark.parametrize("value", [{}, None, 1, "text"])
def test_a_map_over_the_input_needs_an_array(pg: Engine, value: Any):
    pg.flow("maps", {"a": step(), "m": mapping("a", map_over="run")})
    with pytest.raises(psycopg.errors.Error, match="step m maps over it") as refused:
        pg.start_many("maps", [[], value])
    assert refused.value.sqlstate == "PF006"
    assert refused.value.diag.message_detail == "flow_slug=maps input_index=1"
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_an_input_that_is_refused_is_named_by_its_place_among_all_of_the_call(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    first = pg.start("maps", [1], idempotency_key="there")
    keys = ["there", None, "there", "new"]
    with pytest.raises(psycopg.errors.Error, match="step m maps over it") as refused:
        pg.start_many("maps", [{}, [], {}, {}], idempotency_keys=keys)
    assert refused.value.diag.message_detail == "flow_slug=maps input_index=3"
    assert pg.column("select run_id from pgflow.runs") == [first]


def test_ids_have_to_be_as_many_as_inputs(pg: Engine):
    pg.flow("site", {"a": step()})
    with pytest.raises(psycopg.errors.Error, match="2 inputs but 1 run ids") as refused:
        pg.start_many("site", [1, 2], run_ids=[uuid4()])
    assert refused.value.sqlstate == "PF008"


def test_a_start_is_part_of_the_transaction_it_stands_in(pg: Engine):
    pg.flow("site", {"a": step()})
    with pg.conn.transaction(force_rollback=True):
        pg.start("site")
    assert pg.value("select count(*) from pgflow.step_tasks") == 0
    assert pg.claim() == []


def test_priorities_are_plain_integers_and_stay_in_range(pg: Engine):
    pg.flow("site", {"a": step()})
    assert pg.run(pg.start("site", priority=5), "priority") == 5
    assert pg.run(pg.start("site", priority=10**6), "priority") == 32767
    assert pg.run(pg.start("site", priority=-(10**6)), "priority") == -32768
    assert pg.value("select priority from pgflow.start_flow('site', '{}', priority => 7)") == 7


def test_a_step_with_a_start_delay_is_started_and_its_task_is_not_claimable(pg: Engine):
    pg.flow("site", {"a": step(start_delay=60), "m": mapping(start_delay=60)})
    run_id = pg.start("site", [1])
    assert pg.steps(run_id) == {"a": "started", "m": "started"}
    assert pg.claim() == []
    pg.come_due()
    assert {task.step for task in pg.claim()} == {"a", "m"}
