"""delete_flow_and_data: nothing of a flow is left, and nothing of others is touched."""

from typing import Final

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


HOLDS: Final = """
select
  format(
    'select count(*) from pgflow.%%I as held where held::text ~ %%L', class.relname, %(what)s::text
  )
from pg_class as class
where class.relnamespace = 'pgflow'::regnamespace and class.relkind = 'r'
  and class.relname <> 'workers'
order by class.relname
"""


def traces_of(pg: Engine, what: str) -> int:
    """Count the rows of all tables in which a text occurs, but for what workers say they serve."""
    queries = [query for [query] in pg.conn.execute(HOLDS, {"what": what}).fetchall()]
    return sum(pg.value(query) for query in queries)


def test_no_table_holds_anything_of_a_deleted_flow(pg: Engine):
    pg.flow("gone", {"a": step(), "b": step("a")}, max_attempts=1)
    pg.flow("kept", {"a": step()})
    run_id = pg.start("gone", idempotency_key="key", tags='{"n": 1}')
    kept = pg.start("kept", idempotency_key="key")
    tasks = {task.flow: task for task in pg.claim()}
    pg.append((tasks["gone"], 1, ["item"]), (tasks["kept"], 1, ["item"]))
    pg.fail(tasks["gone"])
    pg.rows("select * from pgflow.retry_run(%s)", run_id)
    pg.call("watch_runs", pg.worker_id, [run_id, kept])
    before = traces_of(pg, str(kept))
    assert (traces_of(pg, str(run_id)), traces_of(pg, "gone")) > (8, 8)

    pg.conn.execute("select pgflow.delete_flow_and_data('gone')")

    # Whoever watches is told that the run is gone; the watch ends with its time.
    pg.conn.execute("delete from pgflow.run_watchers where run_id = %s", (run_id,))
    assert (traces_of(pg, str(run_id)), traces_of(pg, "gone")) == (0, 0)
    assert traces_of(pg, str(kept)) == before
    assert pg.complete((tasks["kept"], 1)) == []


def test_a_flow_that_is_not_there_is_no_error(pg: Engine):
    pg.conn.execute("select pgflow.delete_flow_and_data('ghost')")


def test_reports_of_a_deleted_flow_are_refused_as_unknown(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    pg.conn.execute("select pgflow.delete_flow_and_data('site')")
    assert [refusal.reason for refusal in pg.complete((task, 1))] == ["unknown_task"]
    assert [refusal.reason for refusal in pg.fail(task)] == ["unknown_task"]
