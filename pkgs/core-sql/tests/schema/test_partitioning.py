"""Partitioning tables that are in use: nothing is lost, and all goes on as before."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, mapping, step
from pgflow_core_sql import Migrator

GIVEN = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
RIGHTS = """
select class.relname, array(select item::text from unnest(class.relacl) as item order by 1)
from pg_class as class
where class.relnamespace = 'pgflow'::regnamespace and class.relkind in ('r', 'p', 'v')
union all
select proc.oid::regprocedure::text, array(select item::text from unnest(proc.proacl) as item)
from pg_proc as proc where proc.pronamespace = 'pgflow'::regnamespace
order by 1
"""
COMMENTS = """
select pg_describe_object(classoid, objoid, objsubid), description
from pg_description
where pg_describe_object(classoid, objoid, objsubid) like '%pgflow.%'
order by 1
"""


@pytest.fixture
def used(pg: Engine) -> Engine:
    """Runs that are under way, that ended, and whose ids were given."""
    pg.flow("chain", {"first": {}, "last": step("first")})
    pg.flow("maps", {"each": mapping()})
    pg.start_many("chain", [{}] * 5, idempotency_keys=["a", "b", None, None, None])
    pg.start("maps", [1, 2, 3])
    pg.start("chain", run_id=GIVEN)
    first, second, *_ = pg.claim(4)
    pg.complete((first, 1))
    pg.fail(second, final=True)
    return pg


def everything(pg: Engine) -> dict[str, Any]:
    """Read all rows of the tables that are partitioned."""
    return {
        table: pg.rows(f"select to_jsonb(row)::text from pgflow.{table} as row order by 1")
        for [table] in pg.rows("select unnest(pgflow._partitioned_tables())")
    }


def test_rows_rights_and_comments_are_what_they_were(used: Engine):
    rows, rights, comments = everything(used), used.rows(RIGHTS), used.rows(COMMENTS)
    assert used.call("partition_by_month", "2 months") >= 4
    assert everything(used) == rows
    assert used.rows(RIGHTS) == rights
    assert used.rows(COMMENTS) == comments
    assert used.call("partition_by_month") == 0


def test_runs_go_on_in_sessions_that_knew_the_tables_before(used: Engine, db: str):
    with psycopg.connect(db, autocommit=True) as other:
        worker = Engine(other)
        worker.serve("chain", "maps")
        worker.complete(*((task, 1) for task in worker.claim(1)))
        used.call("partition_by_month")
        used.call("requeue_stalled_tasks")
        while tasks := worker.claim():
            worker.complete(*((task, 1) for task in tasks))
        used.complete(*((task, 1) for task in used.claim()))
        assert worker.start("chain") is not None
        assert worker.call("cancel_run", GIVEN) is not None


def test_an_install_finds_nothing_to_do_and_no_drift(used: Engine):
    used.call("partition_by_month")
    migrator = Migrator(used.conn)
    assert migrator.migrate().applied == ()
    assert migrator.pending() == ()
    assert migrator.drift() == ()


def test_ids_that_starters_gave_are_in_the_default_partition(used: Engine):
    used.call("partition_by_month")
    where = "select tableoid::regclass::text from pgflow.{} where run_id = %s"
    for table in ("runs", "step_states", "step_tasks"):
        assert set(used.column(where.format(table), GIVEN)) == {
            f"pgflow_partitions.{table}_default"
        }


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("create policy own on pgflow.runs using (true)", "policy own"),
        ("create view public.mine as select run_id from pgflow.runs", "view public.mine"),
        ("create publication shared for table pgflow.step_states", "publication shared"),
        (
            "create table public.orders (run_id uuid references pgflow.runs)",
            "constraint orders_run_id_fkey",
        ),
        (
            "create trigger own before insert on pgflow.runs"
            " execute function pgflow._note_run_events()",
            "trigger own",
        ),
    ],
)
def test_what_others_put_on_a_table_refuses_and_is_named(used: Engine, statement: str, name: str):
    used.conn.execute(statement)
    with pytest.raises(psycopg.Error) as refused:
        used.call("partition_by_month")
    assert refused.value.sqlstate == "PF019"
    assert str(refused.value.diag.message_detail).count(name) == 1
    assert used.rows("select from pgflow.partitions") == []


def test_partitions_cannot_be_read_past_the_rights_on_the_tables(used: Engine):
    used.call("partition_by_month")
    Migrator(used.conn).migrate()
    for role in ("pgflow_client", "pgflow_worker", "pgflow_reader"):
        assert not used.value("select has_schema_privilege(%s, 'pgflow_partitions', 'usage')", role)


def test_databases_without_partitions_have_nothing_to_make_or_drop(pg: Engine):
    assert pg.call("create_partitions") is None
    assert pg.call("drop_partitions", "0") is None
    assert pg.rows("select from pgflow.partitions") == []
