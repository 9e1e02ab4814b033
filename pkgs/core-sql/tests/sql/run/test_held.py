"""Runs that another transaction holds, which workers ask for when a report has to wait."""

import psycopg
import pytest
from core_sql_support import Engine, step


@pytest.mark.parametrize(
    ("lock", "is_held"), [("update", True), ("no key update", True), ("key share", False)]
)
def test_a_run_is_held_while_nothing_of_it_can_be_reported(
    db: str, pg: Engine, lock: str, is_held: bool
):
    pg.flow("site", {"a": step()})
    runs = pg.start_many("site", range(3))
    with psycopg.connect(db) as other:
        other.execute(f"select from pgflow.runs where run_id = %s for {lock}".encode(), (runs[1],))
        held = pg.column("select * from pgflow.find_held_runs(%s)", runs)
        assert held == ([runs[1]] if is_held else [])
    assert pg.column("select * from pgflow.find_held_runs(%s)", runs) == []


def test_a_run_that_is_gone_is_not_held(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.conn.execute("delete from pgflow.runs")
    pg.conn.execute("delete from pgflow.step_states")
    pg.conn.execute("delete from pgflow.step_tasks")
    assert pg.column("select * from pgflow.find_held_runs(%s)", [run_id]) == []
