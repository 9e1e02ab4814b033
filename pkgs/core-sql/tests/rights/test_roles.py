"""Rights: each group role can do its work and nothing else, and everybody else nothing at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step
from core_sql_support.calls import SIGNATURES, arguments_of, define_site, raised, sensible
from psycopg import sql

GROUPS = ("pgflow_client", "pgflow_worker", "pgflow_reader")
TABLES = """
select relname from pg_class
where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'v') order by 1
"""


@contextmanager
def member_of(db: str, group: str | None) -> Iterator[Engine]:
    """A connection of a fresh user, in a group role or in none."""
    name = f"user_{uuid4().hex[:12]}"
    with psycopg.connect(db, autocommit=True) as admin, psycopg.connect(db) as conn:
        role = sql.SQL("create role {} login").format(sql.Identifier(name))
        admin.execute(role)
        if group is not None:
            admin.execute(
                sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(name))
            )
        conn.autocommit = True
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(name)))
        yield Engine(conn)
        conn.close()
        admin.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def denied(call: Callable[[], Any]) -> bool:
    try:
        call()
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def readable(pg: Engine, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if not denied(lambda name=name: pg.rows(f"select * from pgflow.{name} limit 1"))
    }


@pytest.fixture
def site(pg: Engine) -> Engine:
    pg.flow("site", {"m": mapping(), "b": step("m")}, base_delay=0)
    return pg


def test_a_client_starts_watches_and_steers_runs(site: Engine, db: str):
    with member_of(db, "pgflow_client") as client:
        run_id = client.start("site", [1])
        assert client.start_many("site", [[], []])
        assert client.call("get_run_with_states", run_id)["run"]["status"] == "started"
        assert client.call("get_run_progress", run_id)["status"] == "started"
        watcher = uuid4()
        client.call("watch_runs", watcher, [run_id])
        client.call("unwatch_runs", watcher, [run_id])
        assert client.stream(run_id, "m") == []
        assert not client.is_stream_ended(run_id, "m")
        assert client.call("skip_delays", run_id) == 0
        assert client.value("select status from pgflow.cancel_run(%s)", run_id) == "cancelled"
        assert client.value("select status from pgflow.retry_run(%s)", run_id) == "started"
        assert client.call("schema_version") >= 1


def test_a_client_neither_claims_nor_reports_nor_defines(site: Engine, db: str):
    run_id = site.start("site", [1])
    with member_of(db, "pgflow_client") as client:
        for call in (
            lambda: client.claim(flows=["site"]),
            lambda: client.call("complete_task", run_id, "m", 0, "1"),
            lambda: client.call("fail_task", run_id, "m", 0, "no"),
            lambda: client.call("requeue_stalled_tasks"),
            lambda: client.append(),
            lambda: client.call("register_worker", uuid4(), ["site"]),
            lambda: client.call("create_flow", "mine"),
            lambda: client.call("delete_flow_and_data", "site"),
            lambda: client.call("prune_data_older_than", "1 day"),
        ):
            assert denied(call)
        assert client.column("select flow_slug from pgflow.flows") == ["site"]


def test_a_worker_does_all_its_work(site: Engine, db: str):
    site.start("site", [1, 2, 3])
    with member_of(db, "pgflow_worker") as worker:
        shape = '{"steps": [{"slug": "a"}]}'
        assert worker.call("ensure_flow_compiled", "made", shape)["status"] == "compiled"
        worker.serve("site", "made")
        worker.call("heartbeat", worker.worker_id)
        worker.call("wait_for_tasks", worker.worker_id, ["site"])
        first, second, third = worker.claim()
        assert worker.call("get_shared_input", first.run_id, "m") == {}
        assert worker.call("get_flow_input", first.run_id) == [1, 2, 3]
        assert worker.call("enter_attempt", first.run_id, "m", first.index, 1, 60) == []
        worker.call("claim_apart", ["site"], ["m"])
        assert worker.append((first, 1, ["item"])) == []
        worker.complete((first, 1))
        worker.fail(second)
        worker.release(third)
        claimed, refused = worker.report_and_claim(quantity=5)
        assert (len(claimed), refused) == (2, [])
        worker.report_and_claim([(task, 1) for task in claimed])
        worker.call("requeue_stalled_tasks")
        worker.call("track_worker_function", "crawl", ["site"])
        assert worker.rows("select * from pgflow.get_queue_depth('{site}')")
        worker.rows("select * from pgflow.get_alert_figures()")
        worker.rows("select * from pgflow.get_trace_contexts('{}')")
        worker.rows("select * from pgflow.find_retries('{}', '{}', '{}', '{}')")
        worker.call("mark_worker_stopped", worker.worker_id)


def test_a_worker_neither_starts_nor_reads_runs(site: Engine, db: str):
    run_id = site.start("site", [1])
    with member_of(db, "pgflow_worker") as worker:
        for call in (
            lambda: worker.start("site", [1]),
            lambda: worker.call("get_run_progress", run_id),
            lambda: worker.rows("select * from pgflow.cancel_run(%s)", run_id),
            lambda: worker.call("watch_runs", uuid4(), [run_id]),
            lambda: worker.call("create_flow", "mine"),
            lambda: worker.call("delete_flow_and_data", "site"),
            lambda: worker.call("ensure_workers"),
            lambda: worker.call("configure_worker_functions", "https://evil.example.com"),
            lambda: worker.call("_invocation_setting", "auth_secret"),
        ):
            assert denied(call)


def test_a_reader_reads_everything_but_secrets_and_changes_nothing(site: Engine, db: str):
    run_id = site.start("site", [1])
    names = site.column(TABLES)
    with member_of(db, "pgflow_reader") as reader:
        assert readable(reader, names) == set(names) - {"invocation_settings"}
        assert reader.call("get_run_with_states", run_id)["run"]["status"] == "started"
        assert reader.call("get_run_progress", run_id)["status"] == "started"
        assert reader.call("get_backlog") == 1
        assert reader.rows("select * from pgflow.get_alert_figures()")
        for call in (
            lambda: reader.start("site", [1]),
            lambda: reader.claim(flows=["site"]),
            lambda: reader.rows("select * from pgflow.cancel_run(%s)", run_id),
            lambda: reader.conn.execute("update pgflow.runs set status = 'failed'"),
            lambda: reader.conn.execute("delete from pgflow.step_tasks"),
        ):
            assert denied(call)


@pytest.mark.parametrize("group", ["pgflow_client", "pgflow_worker"])
def test_clients_and_workers_see_definitions_and_no_data(site: Engine, db: str, group: str):
    with member_of(db, group) as member:
        assert readable(member, site.column(TABLES)) == {"flows", "steps", "deps"}


MAY: Final = "select has_function_privilege(%s, oid, 'execute') from pg_proc where proname = %s"


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_group_may_call_works_and_all_else_is_refused(pg: Engine, db: str, group: str):
    """Also where a function reads tables, or calls functions, that the caller may not."""
    define_site(pg)
    known = sensible(pg)
    granted: list[str] = []
    with member_of(db, group) as member:
        for function, names, types in pg.rows(SIGNATURES):
            error = raised(member, function, arguments_of(function, names, types, known))
            if pg.value(MAY, group, function):
                granted.append(function)
                assert error is None, (function, str(error))
            else:
                assert isinstance(error, psycopg.errors.InsufficientPrivilege), function
    assert len(granted) > 5


def test_everybody_else_can_do_nothing(site: Engine, db: str):
    names = site.column(TABLES)
    functions = site.column(
        "select oid::regprocedure::text from pg_proc where pronamespace = 'pgflow'::regnamespace"
    )
    with member_of(db, None) as stranger:
        assert readable(stranger, names) == set()
        assert denied(lambda: stranger.start("site", [1]))
        name = stranger.value("select session_user::text")
        assert [
            function
            for function in functions
            if site.value("select has_function_privilege(%s, %s, 'execute')", name, function)
        ] == []


def test_a_caller_cannot_smuggle_in_types_that_run_with_the_owner_s_rights(site: Engine, db: str):
    """Types are looked up in the temporary schema too, which belongs to the caller."""
    site.conn.execute("create table public.loot (who text)")
    site.conn.execute("grant all on schema public to public; grant all on public.loot to public")
    for group in GROUPS[:2]:
        with member_of(db, group) as thief:
            for name in ("jsonb", "text", "uuid", "int8", "float8", "timestamptz", "bool"):
                check = f"public.steal_{group}_{name}"
                thief.conn.execute(
                    f"""
                    create function {check}(v pg_catalog.{name}) returns pg_catalog.bool
                    language plpgsql as $$
                    begin
                      insert into public.loot values (current_user);
                      return true;
                    end
                    $$
                    """
                )
                thief.conn.execute(
                    f"create domain pg_temp.{name} as pg_catalog.{name} check ({check}(value))"
                )
            if group == "pgflow_client":
                run_id = thief.start("site", [1])
                thief.call("get_run_progress", run_id)
                thief.rows("select run_id from pgflow.cancel_run(%s)", run_id)
                thief.rows("select run_id from pgflow.retry_run(%s)", run_id)
            else:
                changed = '{"steps": [{"slug": "m"}]}'
                thief.call("ensure_flow_compiled", "site", changed)
                thief.serve("site")
                thief.fail(*thief.claim())
                thief.drain()
                thief.call("requeue_stalled_tasks")
    # Their own casts run as themselves; what the functions cast must not run as the owner.
    looted = site.column("select distinct who from public.loot")
    assert [who for who in looted if not who.startswith("user_")] == []


def test_every_function_looks_up_types_of_the_caller_last(pg: Engine):
    """Without its name in the path, the temporary schema would come first."""
    assert (
        pg.column(
            """
            select function.oid::regprocedure::text
            from pg_proc as function
            where function.pronamespace = 'pgflow'::regnamespace
              and exists (
                select from unnest(function.proconfig) as setting
                where setting like 'search_path=%'
                  and setting <> 'search_path=pg_catalog, pg_temp'
              )
            """
        )
        == []
    )


def test_a_worker_may_define_a_flow_and_not_take_it_back_to_an_older_version(db: str):
    shapes = [f'{{"steps": [{{"slug": "{slug}"}}]}}' for slug in "ab"]
    with member_of(db, "pgflow_worker") as worker:
        made = [worker.call("use_flow_shape", "site", shape)["status"] for shape in shapes]
        assert made == ["compiled", "versioned"]
        assert denied(lambda: worker.call("use_flow_shape", "site", shapes[0]))


def test_a_worker_defines_flows_but_deletes_no_run_by_it(pg: Engine, db: str):
    define = "select pgflow.ensure_flow_compiled('shop', %s, true) ->> 'status'"
    one, other = '{"steps": [{"slug": "a"}]}', '{"steps": [{"slug": "b"}]}'
    with member_of(db, "pgflow_worker") as worker:
        assert worker.value(define, one) == "compiled"
        assert worker.value(define, one) == "verified"
        run_id = pg.start("shop")
        with pytest.raises(psycopg.Error) as refused:
            worker.value(define, other)
        assert refused.value.sqlstate == "PF015"
    assert pg.run(run_id, "status") == "started"
    # Whoever takes a role has the rights of that role.
    pg.conn.execute("set role pgflow_worker")
    with pytest.raises(psycopg.Error) as refused:
        pg.value(define, other)
    assert refused.value.sqlstate == "PF015"
    pg.conn.execute("reset role")
    assert pg.value(define, other) == "recompiled"
