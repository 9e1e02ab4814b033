"""What a claimed task receives, for every shape of step."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import NULL, Engine, Task, mapping, step


def inputs(tasks: list[Task]) -> dict[tuple[str, int], Any]:
    return {(task.step, task.index): task.input for task in tasks}


def shared(pg: Engine, run_id: UUID, step_slug: str) -> Any:
    return pg.call("get_shared_input", run_id, step_slug)


def test_a_root_step_receives_the_flow_input_beside_an_empty_object(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site", {"url": "x"})
    task = pg.claim_one("a")
    assert (task.input, task.flow_input, task.attempt) == ({}, {"url": "x"}, 1)


def test_a_step_receives_the_outputs_of_its_dependencies_by_name(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b"), "d": step("c")})
    pg.start("site", {"url": "x"})
    pg.complete(*[(task, {"of": task.step}) for task in pg.claim()])
    task = pg.claim_one("c")
    assert task.input == {"a": {"of": "a"}, "b": {"of": "b"}}
    assert task.flow_input is None


def test_a_step_that_asks_for_the_flow_input_receives_it(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a", takes_flow_input=True)})
    pg.start("site", {"url": "x"})
    pg.complete((pg.claim_one("a"), 1))
    assert pg.claim_one("b").flow_input == {"url": "x"}


def test_the_flow_input_can_be_read_by_itself(pg: Engine):
    pg.flow("site", {"a": step()})
    for value in ({"url": "x"}, 0):
        assert pg.call("get_flow_input", pg.start("site", value)) == value
    with pytest.raises(psycopg.Error, match="does not exist") as raised:
        pg.call("get_flow_input", UUID(int=1))
    assert raised.value.sqlstate == "PF002"


def test_a_dependency_that_only_orders_is_waited_for_and_not_delivered(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", after_slugs=["b"])})
    pg.start("site")
    a, b = sorted(pg.claim(), key=lambda task: task.step)
    pg.complete((a, 1))
    assert pg.claim() == []
    pg.complete((b, 2))
    assert pg.claim_one("c").input == {"a": 1}


@pytest.mark.parametrize("output", [None, False, 0, "", [], {}, 1.5, "ü \u0001 \\", [[None]]])
def test_any_json_reaches_the_next_step_as_it_was(pg: Engine, output: Any):
    pg.flow("site", {"a": step(), "b": step("a")})
    pg.start("site")
    pg.complete((pg.claim_one("a"), output))
    assert pg.claim_one("b").input == {"a": output}


def test_sql_null_and_json_null_stay_two_things_and_no_output_is_a_third(pg: Engine):
    unmet = {"required_input_pattern": {"never": 1}}
    pg.flow("site", {"none": step(), "null": step(), "gone": step(**unmet)})
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.complete((tasks["none"], NULL), (tasks["null"], None))
    assert pg.steps(run_id, "jsonb_typeof(output)") == {"none": None, "null": "null", "gone": None}
    assert pg.run(run_id, "output::text") == '{"none": null, "null": null}'


def test_an_element_of_the_flow_input_reaches_its_task_as_it_is(pg: Engine):
    elements = [1, None, "text", {"a": [1]}, [], [[2]], False]
    pg.flow("maps", {"m": mapping()})
    pg.start("maps", elements)
    tasks = pg.claim()
    assert inputs(tasks) == {("m", place): value for place, value in enumerate(elements)}
    assert {task.flow_input for task in tasks} == {None}
    assert pg.value("select count(*) from pgflow.step_tasks where input is null") == 0


def test_an_element_of_an_output_reaches_its_task(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a")})
    pg.start("maps")
    pg.complete((pg.claim_one("a"), ["x", None, [1, 2]]))
    assert inputs(pg.claim()) == {("m", 0): "x", ("m", 1): None, ("m", 2): [1, 2]}


def test_a_map_over_a_map_receives_each_output_with_its_index(pg: Engine):
    pg.flow("maps", {"m": mapping(), "n": mapping("m"), "o": mapping("n")})
    pg.start("maps", [10, 20, 30])
    tasks = pg.claim()
    pg.complete(*[(task, [task.index, None]) for task in tasks[::-1]])
    tasks = pg.claim()
    assert inputs(tasks) == {("n", place): [place, None] for place in range(3)}
    pg.complete(*[(task, None if task.index == 1 else task.index) for task in tasks])
    assert inputs(pg.claim()) == {("o", 0): 0, ("o", 1): None, ("o", 2): 2}


def test_an_sql_null_output_of_an_element_is_null_to_a_map_over_it(pg: Engine):
    pg.flow("maps", {"m": mapping(), "n": mapping("m")})
    run_id = pg.start("maps", [1, 2])
    pg.complete(*[(task, NULL) for task in pg.claim()])
    assert pg.step(run_id, "m", "output::text") == "[null, null]"
    assert inputs(pg.claim()) == {("n", 0): None, ("n", 1): None}


def test_a_step_after_a_map_receives_the_array_of_its_outputs_in_order(pg: Engine):
    pg.flow("maps", {"m": mapping(), "b": step("m")})
    pg.start("maps", list(range(12)))
    tasks = pg.claim()
    for task in sorted(tasks, key=lambda task: -task.index):
        pg.complete((task, {"n": task.input * 2}))
    assert pg.claim_one("b").input == {"m": [{"n": n * 2} for n in range(12)]}


def test_further_dependencies_of_a_map_are_read_once_and_not_with_each_element(pg: Engine):
    unmet = {"required_input_pattern": {"never": 1}}
    pg.flow(
        "maps",
        {
            "a": step(),
            "b": step(),
            "gone": step(**unmet),
            "order": step(),
            "m": mapping("a", "b", "gone", map_over="a", after_slugs=["order"]),
        },
    )
    run_id = pg.start("maps", {"url": "x"})
    tasks = {task.step: task for task in pg.claim()}
    pg.complete((tasks["a"], [1, 2]), (tasks["b"], {"b": 1}), (tasks["order"], 9))
    assert inputs(pg.claim()) == {("m", 0): 1, ("m", 1): 2}
    assert shared(pg, run_id, "m") == {"b": {"b": 1}}


def test_a_map_over_the_input_waits_for_its_dependencies_and_shares_them(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a", map_over="run", takes_flow_input=True)})
    run_id = pg.start("maps", [7, 8])
    pg.complete((pg.claim_one("a"), "shared"))
    assert inputs(pg.claim()) == {("m", 0): 7, ("m", 1): 8}
    assert shared(pg, run_id, "m") == {"run": [7, 8], "a": "shared"}


def test_what_elements_share_is_refused_for_unknown_runs_and_steps(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    run_id = pg.start("maps", [1])
    with pytest.raises(psycopg.errors.Error, match="flow maps has no step ghost") as refused:
        shared(pg, run_id, "ghost")
    assert refused.value.sqlstate == "PF003"
    with pytest.raises(psycopg.errors.Error, match="does not exist") as refused:
        shared(pg, UUID(int=0), "m")
    assert refused.value.sqlstate == "PF002"


def test_a_big_element_is_not_read_from_its_whole_array(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a"), "n": mapping("m")})
    run_id = pg.start("maps")
    pg.complete((pg.claim_one("a"), ["x" * 1000, "y" * 1000]))
    assert pg.tasks(run_id, "m", "length(input::text)") == [1002, 1002]
    pg.complete(*[(task, "z") for task in pg.claim()])
    assert pg.tasks(run_id, "n", "input") == [None, None]
