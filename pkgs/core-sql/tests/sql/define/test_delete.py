"""delete_flow_and_data: nothing of a flow is left, and nothing of others is touched."""

from core_sql_support import Engine, step


def rows_of(pg: Engine, flow_slug: str) -> list[int]:
    runs = pg.column("select run_id from pgflow.runs where flow_slug = %s", flow_slug)
    return [
        pg.value(f"select count(*) from pgflow.{table} where flow_slug = %s", flow_slug)
        for table in ("flows", "steps", "deps", "runs", "step_states", "step_tasks")
    ] + [
        pg.value("select count(*) from pgflow.task_attempts where run_id = any(%s)", runs),
    ]


def test_a_flow_goes_with_its_runs_and_history(pg: Engine):
    for slug in ("mine", "other"):
        pg.flow(slug, {"a": step(), "b": step("a")}, base_delay=0)
        for _ in range(3):
            pg.start(slug)
    pg.fail(*pg.claim())
    pg.complete(*[(task, 1) for task in pg.claim()])
    before = rows_of(pg, "other")
    mine = pg.column("select run_id from pgflow.runs where flow_slug = 'mine'")
    pg.conn.execute("select pgflow.delete_flow_and_data('mine')")
    assert rows_of(pg, "mine") == [0] * 7
    assert rows_of(pg, "other") == before
    assert pg.value("select count(*) from pgflow.task_attempts where run_id = any(%s)", mine) == 0


def test_a_flow_that_is_not_there_is_no_error(pg: Engine):
    pg.conn.execute("select pgflow.delete_flow_and_data('ghost')")


def test_reports_of_a_deleted_flow_are_refused_as_unknown(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    pg.conn.execute("select pgflow.delete_flow_and_data('site')")
    assert [refusal.reason for refusal in pg.complete((task, 1))] == ["unknown_task"]
    assert [refusal.reason for refusal in pg.fail(task)] == ["unknown_task"]
