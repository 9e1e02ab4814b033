"""Defects of the SQL core that this one descends from: none of them is here.

One test a defect, or more, numbered as they were found. Each asserts what the original got wrong,
so that it fails there; how things work in full is told by the tests beside this file. The events of
14 and the topics of 19 are in steering/test_realtime.py, the rights of 19 in rights/test_roles.py.
"""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from core_sql_support import NULL, Engine, Refusal, is_blocked, mapping, sessions, step

from tests.support import until

UNMET = {"required_input_pattern": {"never": True}}
LIVE = """
select task.step_slug from pgflow.step_tasks as task
join pgflow.step_states as state using (run_id, step_slug)
join pgflow.runs as run on run.run_id = task.run_id
where task.status in ('queued', 'started')
  and (state.status <> 'started' or run.status <> 'started')
"""


def sweep(pg: Engine) -> int:
    return pg.call("requeue_stalled_tasks")


def held_for(pg: Engine, span: timedelta) -> None:
    pg.conn.execute("update pgflow.step_tasks set started_at = now() - %s", (span,))


def refused(pg: Engine, slug: str, step_slug: str, **arguments: Any) -> str | None:
    with pytest.raises(psycopg.Error) as raised:
        pg.call("add_step", slug, step_slug, **arguments)
    return raised.value.sqlstate


def test_01_a_claimed_task_is_nobody_else_s_for_as_long_as_it_may_run(pg: Engine):
    pg.flow("site", {"a": step(timeout=600)})
    pg.start("site")
    task = pg.claim_one("a")
    held_for(pg, timedelta(seconds=590))
    assert sweep(pg) == 0
    assert pg.claim() == []
    assert pg.complete((task, 1)) == []


def test_02_two_claims_at_once_never_get_the_same_task(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping()})
    pg.start("maps", [1, 2, 3])
    with sessions(db, 2, pg.flows) as (one, other):
        claimed = [task.index for session in (one, other) for task in session.claim(2)]
        one.commit()
        other.commit()
    assert sorted(claimed) == [0, 1, 2]
    assert {attempts for [attempts] in pg.rows("select attempts_count from pgflow.step_tasks")} == {
        1
    }


def test_03_a_stale_attempt_changes_nothing_and_its_worker_is_told(pg: Engine):
    pg.flow("site", {"a": step()}, max_attempts=3, base_delay=0)
    run_id = pg.start("site")
    stale = pg.claim_one("a")
    pg.lose_worker()
    sweep(pg)
    assert pg.complete((stale, "queued")) == [Refusal("a", 0, 1, "queued")]
    current = pg.claim_one("a")
    pg.fail(stale)
    assert pg.complete((stale, "late")) == [Refusal("a", 0, 1, "stale_attempt")]
    assert pg.task(current, "status, attempts_count, error_message") == (
        "started",
        2,
        f"worker {pg.worker_id} was lost",
    )
    assert pg.complete((current, "mine")) == []
    assert pg.run(run_id, "output") == {"a": "mine"}


@pytest.mark.parametrize("report", ["complete", "fail"])
def test_04_a_report_that_waited_for_a_failing_sibling_finds_the_run_failed(
    pg: Engine, db: str, report: str
):
    pg.flow("site", {"a": step(max_attempts=1), "b": step(), "c": step("b")})
    run_id = pg.start("site")
    a, b = sorted(pg.claim(), key=lambda task: task.step)
    with sessions(db, 2, pg.flows) as (one, other):
        one.fail(a)
        late = other.later(
            lambda: other.complete((b, 1)) if report == "complete" else other.fail(b)
        )
        until(lambda: is_blocked(pg.conn, other))
        one.commit()
        assert late.result() == [Refusal("b", 0, 1, "cancelled")]
        other.commit()
    assert pg.steps(run_id) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert pg.rows(LIVE) == []


@pytest.mark.parametrize(
    ("mode", "status"), [("skip", "skipped"), ("skip-cascade", "skipped"), ("fail", "failed")]
)
def test_05_a_condition_below_a_map_without_elements_is_asked(pg: Engine, mode: str, status: str):
    pg.flow("maps", {"m": mapping(), "b": step("m", when_unmet=mode, **UNMET)})
    assert pg.step(pg.start("maps", []), "b") == status


def test_06_recovery_heeds_the_timeout_of_the_step(pg: Engine):
    pg.flow("site", {"slow": step(timeout=600), "fast": step(timeout=5)}, timeout=60)
    run_id = pg.start("site")
    pg.claim()
    held_for(pg, timedelta(seconds=95))
    assert sweep(pg) == 1
    assert pg.tasks(run_id, "slow") == ["started"]
    assert pg.tasks(run_id, "fast") == ["queued"]


@pytest.mark.parametrize(("mode", "status"), [("fail", "failed"), ("skip", "completed")])
def test_07_a_task_that_stalls_for_good_ends_and_so_does_its_run(
    pg: Engine, mode: str, status: str
):
    pg.flow("site", {"a": step(max_attempts=1, when_exhausted=mode)})
    run_id = pg.start("site")
    task = pg.claim_one("a")
    pg.lose_worker()
    assert sweep(pg) == 1
    assert pg.task(task) == "failed"
    assert pg.run(run_id, "status") == status


def test_08_recovery_revives_nothing_that_has_ended(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(max_attempts=1)})
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip"), "end": step("m")})
    pg.start("site")
    pg.start("maps", [1, 2])
    tasks = {(task.step, task.index): task for task in pg.claim()}
    pg.fail(tasks["b", 0], tasks["m", 0])
    assert pg.rows(LIVE) == []
    pg.lose_worker()
    assert sweep(pg) == 0
    assert pg.rows(LIVE) == []


def test_08_stalls_and_errors_spend_one_budget(pg: Engine):
    pg.flow("once", {"a": step(max_attempts=1)})
    pg.start("once")
    pg.claim_one("a")
    pg.lose_worker()
    sweep(pg)
    pg.call("heartbeat", pg.worker_id)
    assert pg.claim() == []


def test_09_a_cascade_visits_each_step_once_however_many_paths_lead_there(pg: Engine):
    layers: dict[str, dict[str, Any]] = {"top": step(when_unmet="skip-cascade", **UNMET)}
    parents = ["top"]
    # Over all paths these would be 3^40 visits.
    for layer in range(40):
        names = [f"s{layer}_{n}" for n in range(3)]
        layers |= {name: step(*parents) for name in names}
        parents = names
    with pg.conn.transaction():
        pg.flow("grid", layers)
    assert pg.run(pg.start("grid")) == ("completed", 0, {})


def test_10_a_delay_is_capped_after_any_number_of_attempts(pg: Engine):
    pg.flow("site", {"a": step()}, max_attempts=1000)
    pg.start("site")
    pg.conn.execute("update pgflow.step_tasks set attempts_count = 99")
    assert pg.fail(pg.claim_one("a")) == []
    wait = pg.value("select extract(epoch from available_at - now()) from pgflow.step_tasks")
    assert 3590 < wait <= 3610
    assert pg.call("calculate_retry_delay", 5, 29) == 3600
    assert pg.call("calculate_retry_delay", 5, 2_000_000_000, 86_400) == 86_400


def test_11_a_step_cannot_name_a_dependency_twice_or_be_given_others_later(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    assert refused(pg, "site", "c", deps_slugs=["a", "a"]) == "PF005"
    assert refused(pg, "site", "a", deps_slugs=["b"]) == "PF005"
    assert pg.rows("select dep_slug, step_slug from pgflow.deps") == [("a", "b")]
    run_id = pg.start("site")
    pg.drain()
    assert pg.run(run_id, "status") == "completed"


def test_12_flows_whose_names_differ_by_case_alone_share_nothing(pg: Engine):
    long = "f" * 128
    for slug in ("MyFlow", "myflow", long):
        pg.flow(slug, {"a": step()})
        pg.start(slug)
    assert [task.flow for task in pg.claim(flows=["MyFlow"])] == ["MyFlow"]
    pg.call("delete_flow_and_data", "MyFlow")
    pg.flows.remove("MyFlow")
    assert sorted(task.flow for task in pg.claim()) == [long, "myflow"]


def test_13_options_reach_a_database_that_knows_the_flow(pg: Engine):
    def shape(attempts: int) -> dict[str, Any]:
        options = {"maxAttempts": attempts}
        return {"options": options, "steps": [{"slug": "a", "options": {"timeout": attempts}}]}

    pg.call("ensure_flow_compiled", flow_slug="site", shape=shape(3))
    again = pg.call("ensure_flow_compiled", flow_slug="site", shape=shape(7))
    assert (again["status"], again["differences"]) == ("verified", [])
    assert pg.value("select opt_max_attempts from pgflow.flows") == 7
    assert pg.value("select opt_timeout from pgflow.steps") == 7


def test_14_a_failed_run_says_why_and_by_which_step_whatever_failed_it(pg: Engine):
    unmet = step("a", when_unmet="fail", **UNMET)
    pg.flow("violated", {"a": step(), "m": mapping("a")})
    pg.flow("exhausted", {"a": step(max_attempts=1)})
    pg.flow("unmet", {"a": step(), "b": unmet})
    ids = [pg.start(slug) for slug in ("violated", "exhausted", "unmet")]
    by_run = {task.run_id: task for task in pg.claim()}
    pg.fail(by_run[ids[1]], message="no luck")
    pg.complete((by_run[ids[0]], "text"), (by_run[ids[2]], 1))
    broken = "step a returned string, but map m runs over it and needs an array"
    columns = "status, failed_step_slug, error_message"
    assert [pg.run(run_id, columns) for run_id in ids] == [
        ("failed", "a", broken),
        ("failed", "a", "no luck"),
        ("failed", "b", "condition not met"),
    ]


@pytest.mark.parametrize("link", [mapping, lambda *deps: step(*deps, **UNMET)], ids=["map", "skip"])
def test_15_a_chain_of_any_length_ends_in_one_call(pg: Engine, link: Any):
    chain = {"s0": link()} | {f"s{n}": link(f"s{n - 1}") for n in range(1, 120)}
    with pg.conn.transaction():
        pg.flow("chain", chain)
    [run_id] = pg.start_many("chain", [[]])
    assert pg.run(run_id, "status") == "completed"


@pytest.mark.parametrize("output", [{"n": 1}, {}, "text", 1, False, None, [], NULL], ids=str)
def test_16_that_a_dependency_was_skipped_can_be_asked_whatever_its_output_is(
    pg: Engine, output: Any
):
    pg.flow(
        "site",
        {
            "a": step(required_input_pattern={"go": True}),
            "there": step("a", required_input_pattern={"a": {}}),
            "fallback": step("a", forbidden_input_pattern={"a": {}}),
        },
    )
    skipped, completed = pg.start("site", {"go": False}), pg.start("site", {"go": True})
    [a] = [task for task in pg.claim() if task.step == "a"]
    pg.complete((a, output))
    statuses = [
        (pg.step(each, "there"), pg.step(each, "fallback")) for each in (skipped, completed)
    ]
    assert statuses == [("skipped", "started"), ("started", "skipped")]


def test_16_a_condition_that_no_input_can_meet_is_refused(pg: Engine):
    pg.flow("maps", {})
    pattern = {"required_input_pattern": {"n": 1}}
    assert refused(pg, "maps", "m", step_type="map", **pattern) == "PF005"


def test_17_sql_null_json_null_and_an_absent_key_stay_three_things(pg: Engine):
    pg.flow(
        "site",
        {
            "none": step(),
            "null": step(),
            "gone": step(**UNMET),
            "end": step("none", "null", "gone"),
        },
    )
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.complete((tasks["none"], NULL), (tasks["null"], None))
    assert pg.steps(run_id, "output is null") == {
        "none": True,
        "null": False,
        "gone": True,
        "end": True,
    }
    assert pg.claim_one("end").input == {"none": None, "null": None}


def test_18_a_skipped_map_keeps_the_outputs_of_its_completed_elements(pg: Engine):
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip")})
    run_id = pg.start("maps", ["x", "y"])
    done, bad = sorted(pg.claim(), key=lambda task: task.index)
    pg.complete((done, "kept"))
    pg.fail(bad)
    assert pg.tasks(run_id, "m", "status, output") == [("completed", "kept"), ("failed", None)]
    assert pg.run(run_id, "status, output") == ("completed", {})


def test_19_functions_with_the_owner_s_rights_look_names_up_in_fixed_places(pg: Engine):
    unpinned = """
    select proname from pg_proc
    where pronamespace = 'pgflow'::regnamespace and prosecdef
      and not exists (select from unnest(proconfig) as setting where setting like 'search_path=%')
    """
    assert pg.rows(unpinned) == []
    open_to_all = """
    select proname from pg_proc
    where pronamespace = 'pgflow'::regnamespace
      and has_function_privilege('public', oid, 'execute')
    """
    assert pg.rows(open_to_all) == []
