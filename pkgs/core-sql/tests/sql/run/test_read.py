"""Reading runs: with the states of their steps, and their progress without their data."""

from uuid import uuid4

import pytest
from core_sql_support import Engine, mapping, step


def test_a_started_run_is_read_with_its_steps_in_order(pg: Engine):
    pg.flow("site", {"z": step(), "a": step("z")})
    answer = pg.call("start_flow_with_states", "site", '{"url": 1}')
    assert answer["run"]["status"] == "started"
    assert answer["run"]["input"] == {"url": 1}
    assert [(each["step_slug"], each["status"]) for each in answer["steps"]] == [
        ("z", "started"),
        ("a", "created"),
    ]
    assert pg.call("get_run_with_states", answer["run"]["run_id"]) == answer


def test_a_run_that_is_not_there_is_null(pg: Engine):
    assert pg.call("get_run_with_states", uuid4()) is None
    assert pg.call("get_run_progress", uuid4()) is None


def test_a_run_without_steps_has_an_empty_list_of_them(pg: Engine):
    pg.flow("empty", {})
    run_id = pg.start("empty")
    assert pg.call("get_run_with_states", run_id)["steps"] == []
    assert pg.call("get_run_progress", run_id)["steps"] == []


def test_progress_tells_how_far_each_step_is_and_no_data(pg: Engine):
    pg.flow("site", {"m": mapping(), "b": step("m")}, base_delay=0, max_attempts=2)
    run_id = pg.start("site", ["secret"] * 3)
    first, second, _ = pg.claim()
    pg.complete((first, "secret"))
    pg.fail(second, message="first try")
    answer = pg.call("get_run_progress", run_id)
    assert "secret" not in str(answer)
    assert answer["status"] == "started"
    assert answer["remaining_steps"] == 2
    mapped, waiting = answer["steps"]
    assert mapped["step_slug"] == "m"
    assert mapped["step_type"] == "map"
    assert (mapped["initial_tasks"], mapped["remaining_tasks"]) == (3, 2)
    assert mapped["failed_attempts"] == 1
    assert answer["started_at"] < mapped["attempt_failed_at"] < answer["read_at"]
    assert (waiting["status"], waiting["failed_attempts"]) == ("created", 0)
    assert waiting["attempt_failed_at"] is None


def test_progress_of_a_failed_run_says_which_step_and_why(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"), message="no network", final=True)
    answer = pg.call("get_run_progress", run_id)
    assert (answer["status"], answer["failed_step_slug"], answer["error_message"]) == (
        "failed",
        "a",
        "no network",
    )
    assert [each["status"] for each in answer["steps"]] == ["failed", "cancelled"]
    assert answer["failed_at"]


@pytest.mark.parametrize(
    ("instant", "run_id"),
    [
        (None, None),
        ("-infinity", "00000000-0000-7000-8000-000000000000"),
        ("1969-12-31 23:59:59Z", "00000000-0000-7000-8000-000000000000"),
        ("2024-01-02 03:04:05.678Z", "018cc820-db2e-7000-8000-000000000000"),
        ("infinity", "ffffffff-ffff-7000-8000-000000000000"),
    ],
)
def test_the_smallest_id_of_an_instant_is_a_uuid_of_version_7(
    pg: Engine, instant: str | None, run_id: str | None
):
    assert pg.value("select pgflow.run_id_at(%s::timestamptz)::text", instant) == run_id
