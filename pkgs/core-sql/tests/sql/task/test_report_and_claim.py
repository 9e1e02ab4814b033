"""The fused call: a mixed batch of reports of many runs and flows, and the next claim."""

import psycopg
import pytest
from core_sql_support import Engine, Refusal, mapping, step


@pytest.fixture
def flows(pg: Engine) -> Engine:
    pg.flow("chain", {"a": step(), "b": step("a")}, base_delay=0)
    pg.flow("maps", {"m": mapping(), "n": mapping("m")}, base_delay=0)
    pg.flow("once", {"a": step(when_exhausted="skip"), "b": step("a")}, max_attempts=1)
    return pg


def test_a_call_without_reports_claims(flows: Engine):
    flows.start("chain")
    claimed, refused = flows.report_and_claim(quantity=5)
    assert ([task.step for task in claimed], refused) == (["a"], [])


def test_a_call_without_a_quantity_reports_and_claims_nothing(flows: Engine):
    flows.start("chain")
    task = flows.claim_one("a")
    assert flows.report_and_claim([(task, 1)]) == ([], [])
    assert [task.step for task in flows.claim()] == ["b"]


def test_what_a_report_makes_ready_is_claimed_by_the_same_call(flows: Engine):
    run_id = flows.start("chain")
    task = flows.claim_one("a")
    [claimed], _ = flows.report_and_claim([(task, {"n": 1})], quantity=5)
    assert (claimed.run_id, claimed.step, claimed.input) == (run_id, "b", {"a": {"n": 1}})


def test_a_mixed_batch_carries_every_run_on(flows: Engine):
    good, bad = flows.start("chain"), flows.start("chain")
    maps, once = flows.start("maps", [1, 2, 3]), flows.start("once")
    tasks = {(task.run_id, task.step, task.index): task for task in flows.claim()}
    assert len(tasks) == 6
    claimed, refused = flows.report_and_claim(
        completed=[(tasks[good, "a", 0], "ok")]
        + [(tasks[maps, "m", place], place) for place in range(2)],
        failed=[tasks[bad, "a", 0], tasks[maps, "m", 2], tasks[once, "a", 0]],
        quantity=100,
    )
    assert refused == []
    assert {(task.run_id, task.step, task.index, task.attempt) for task in claimed} == {
        (good, "b", 0, 1),
        (bad, "a", 0, 2),
        (maps, "m", 2, 2),
        (once, "b", 0, 1),
    }
    assert flows.step(once, "a", "status, skip_reason") == ("skipped", "handler_failed")


def test_refused_reports_come_beside_claimed_tasks_and_failures_come_first(flows: Engine):
    stale_run, fine = flows.start("chain"), flows.start("chain")
    stale, task = sorted(flows.claim(), key=lambda task: task.run_id)
    flows.fail(stale)
    assert flows.claim_one("a").run_id == stale_run
    claimed, refused = flows.report_and_claim(
        completed=[(stale, "old"), (task, "new")], failed=[task], quantity=5
    )
    assert sorted(each.reason for each in refused) == ["queued", "stale_attempt"]
    assert [(each.run_id, each.attempt) for each in claimed] == [(fine, 2)]


def test_a_failure_that_ends_a_run_refuses_its_other_outputs(flows: Engine):
    flows.flow("strict", {"a": step(), "b": step()}, max_attempts=1)
    run_id = flows.start("strict")
    tasks = {task.step: task for task in flows.claim()}
    _, refused = flows.report_and_claim(completed=[(tasks["b"], 1)], failed=[tasks["a"]])
    assert refused == [Refusal("b", 0, 1, "cancelled")]
    assert flows.run(run_id, "status, failed_step_slug") == ("failed", "a")


def test_a_batch_that_is_sent_again_changes_nothing_and_refuses_nothing(flows: Engine):
    run_id = flows.start("maps", [1, 2])
    done, failed = flows.claim()
    for _ in range(2):
        _, refused = flows.report_and_claim(completed=[(done, 1)], failed=[failed], delay=60)
        assert refused == []
    assert flows.step(run_id, "m", "remaining_tasks") == 1
    assert flows.value("select count(*) from pgflow.task_attempts") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        "completed_run_ids => array[%(run)s]::uuid[]",
        "completed_run_ids => array[%(run)s]::uuid[], completed_step_slugs => '{a}',"
        " completed_task_indexes => '{0}'",
        "outputs => array['1'::jsonb]",
        "failed_run_ids => array[%(run)s]::uuid[]",
        "error_messages => '{x}'",
    ],
)
def test_arrays_of_different_lengths_are_refused(flows: Engine, arguments: str):
    run_id = flows.start("chain")
    task = flows.claim_one("a")
    with pytest.raises(psycopg.errors.Error, match="differ in length") as refused:
        flows.conn.execute(
            f"select pgflow.report_and_claim(%(worker)s, '{{chain}}', 0, {arguments})",
            {"worker": flows.worker_id, "run": run_id},
        )
    assert refused.value.sqlstate == "PF008"
    assert flows.task(task) == "started"


def test_attempts_may_be_left_out_of_reports(flows: Engine):
    run_id = flows.start("chain")
    task = flows.claim_one("a")
    flows.conn.execute(
        """
        select pgflow.report_and_claim(
          %s, '{chain}', 0, completed_run_ids => array[%s]::uuid[], completed_step_slugs => '{a}',
          completed_task_indexes => '{0}', outputs => array['1'::jsonb]
        )
        """,
        (flows.worker_id, run_id),
    )
    assert flows.task(task, "status, output") == ("completed", 1)
