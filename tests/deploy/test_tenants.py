"""The page about tenants, done: each starts and watches its own runs and nobody else's."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, Client, PermissionRefused, RunNotFound
from pgflow_core_sql import Migrator, roles_script
from pgflow_dsl import Context, Flow
from pgflow_worker.testing import running_worker
from psycopg.conninfo import make_conninfo

from tests.deploy.pages import blocks
from tests.support import until

PATIENCE = timedelta(seconds=30)
ADMINISTRATOR, OWNER, TENANT, BY_SETTING = blocks("tenants", "sql")
LOGINS = ("shop_owner", "shop_worker", "tenant_acme", "tenant_globex", "shop_app")


def greeting() -> Flow[str]:
    flow = Flow("greet", input=str, max_attempts=1)

    @flow.step
    async def hello(ctx: Context, name: str = flow.input) -> str:
        if name == "nobody":
            raise ValueError("nobody is there")
        await ctx.emit(f"about to greet {name}")
        return f"hello {name}"

    return flow


class Shop:
    """A database that tenants share."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server

    def url(self, login: str) -> str:
        return make_conninfo(self._server.url("shop"), user=login)

    def rows(self, login: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(login), autocommit=True) as conn:
            cursor = conn.execute(query.encode(), values or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def shop(postgres: EmbeddedServer) -> Iterator[Shop]:
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(roles_script().encode())
        admin.execute("create database shop")
        try:
            admin.execute(ADMINISTRATOR.encode())
            admin.execute("create role shop_app login in role pgflow_client")
            made = Shop(postgres)
            Migrator(made.url("shop_owner")).migrate()
            made.rows("shop_owner", OWNER)
            yield made
        finally:
            admin.execute("drop database shop with (force)")
            for login in LOGINS:
                admin.execute(f"drop role if exists {login}".encode())


@pytest.fixture(scope="module")
def flow(shop: Shop) -> Flow[str]:
    return greeting()


async def run_of(shop: Shop, flow: Flow[str], tenant: str, name: str) -> Any:
    """Have a tenant start a run and see it through to its end, with a worker's help."""
    tags = {"tenant": tenant}
    async with (
        running_worker([flow], shop.url("shop_worker")),
        AsyncClient(shop.url(tenant)) as client,
    ):
        run = await client.start_flow(flow, name, tags=tags)
        events = [event async for event in run.events()]
        assert events
        return run.run_id


@pytest.fixture(scope="module")
def runs(shop: Shop, flow: Flow[str]) -> dict[str, Any]:
    """One completed and one failed run of acme's, while globex starts one in SQL."""
    done = asyncio.run(run_of(shop, flow, "tenant_acme", "Ada"))
    failed = asyncio.run(run_of(shop, flow, "tenant_acme", "nobody"))
    # So that it has a past, too.
    shop.rows("tenant_acme", "select pgflow.retry_run(%s)", failed)
    shop.rows("tenant_acme", "select pgflow.cancel_run(%s)", failed)
    shop.rows("tenant_globex", TENANT)
    return {"done": done, "failed": failed}


def test_a_tenant_sees_its_own_runs_through_the_client_and_through_sql(
    shop: Shop, runs: dict[str, Any], flow: Flow[str]
):
    with Client(shop.url("tenant_acme")) as client:
        assert client.get_run(runs["done"], flow).result(PATIENCE) == {"hello": "hello Ada"}
    listed = "select jsonb_array_length(pgflow.list_runs() -> 'runs')"
    assert shop.rows("tenant_acme", listed) == [(2,)]
    assert shop.rows("tenant_globex", listed) == [(1,)]
    assert shop.rows("shop_owner", "select count(*) from pgflow.runs") == [(3,)]


def test_another_tenants_run_does_not_exist_for_the_client(
    shop: Shop, runs: dict[str, Any], flow: Flow[str]
):
    with Client(shop.url("tenant_globex")) as client:
        with pytest.raises(RunNotFound):
            client.get_run(runs["done"], flow)
        assert runs["done"] not in {run.run_id for run in client.list_runs(flow)}


UNDEFINED_FUNCTION = "42883"
# What a tenant may call with the id of a run, and what it is to get: nothing, or that error.
CALLS = {
    "get_run_with_states(%s)": [(None,)],
    "get_run_progress(%s)": [(None,)],
    "get_run_failure(%s)": [],
    "get_run_reopenings(%s)": [],
    "get_run_versions(array[%s]::uuid[])": None,
    "read_stream(%s, 'hello')": [],
    "get_stream_state(%s, 'hello')": "PF002",
    "cancel_run(%s)": "PF002",
    "cancel_runs(array[%s]::uuid[])": [],
    "cancel_flow_runs('greet', null, 10)": None,
    "retry_run(%s)": "PF002",
    "restart_run(%s, 'hello')": "PF002",
    "skip_delays(%s)": "PF002",
}


@pytest.mark.parametrize("which", ["done", "failed"])
@pytest.mark.parametrize("call", CALLS)
def test_another_tenants_run_does_not_exist_for_sql(
    shop: Shop, runs: dict[str, Any], call: str, which: str
):
    columns = "run_id, flow_slug, status, output, error_message, tags, reopened_count"
    everything = f"select {columns} from pgflow.runs where run_id = any(%s) order by 1"
    before = shop.rows("shop_owner", everything, list(runs.values()))
    values = [runs[which]] if "%s" in call else []
    try:
        got: Any = shop.rows("tenant_globex", f"select pgflow.{call}", *values)
    except psycopg.Error as error:
        got = error.sqlstate
    assert str(runs[which]) not in str(got)
    # It was called, and not merely spelt in a way that no function has.
    assert got != UNDEFINED_FUNCTION
    if CALLS[call] is not None:
        assert got == CALLS[call]
    assert shop.rows("shop_owner", everything, list(runs.values())) == before


def test_every_function_that_takes_a_run_and_that_clients_may_call_is_tried(shop: Shop):
    callable_ = shop.rows(
        "shop_owner",
        """
        select proname from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and has_function_privilege('pgflow_client', oid, 'execute')
          and proargnames && array['run_id', 'run_ids']
          and (proargmodes is null or proargmodes[array_position(
            proargnames, case when 'run_id' = any (proargnames) then 'run_id' else 'run_ids' end
          )] = 'i')
        """,
    )
    tried = {call.partition("(")[0] for call in CALLS}
    # These make runs, or marks that hold ids and nothing else.
    others = {"start_flow", "start_flows", "start_flow_with_states", "watch_runs", "unwatch_runs"}
    assert {name for (name,) in callable_} <= tried | others | {"send", "send_many", "send_rows"}


@pytest.mark.parametrize("tags", [{"tenant": "tenant_acme"}, {}, None])
def test_a_tenant_starts_no_run_for_another(shop: Shop, flow: Flow[str], tags: Any):
    with Client(shop.url("tenant_globex")) as client, pytest.raises(PermissionRefused):
        client.start_flow(flow, "Eve", tags=tags)


def test_a_tenant_gets_no_run_of_anothers_by_its_key_or_id(
    shop: Shop, runs: dict[str, Any], flow: Flow[str]
):
    tags = {"tenant": "tenant_acme"}
    with Client(shop.url("tenant_acme")) as client:
        client.start_flow(flow, "Ada", tags=tags, idempotency_key="same")
    start = (
        "select * from pgflow.start_flow('greet', '\"Eve\"', idempotency_key => 'same',"
        ' tags => \'{"tenant": "tenant_globex"}\')'
    )
    assert shop.rows("tenant_globex", start) == []
    same = start.replace("idempotency_key => 'same'", f"run_id => '{runs['done']}'")
    with pytest.raises(psycopg.Error) as raised:
        shop.rows("tenant_globex", same)
    assert raised.value.sqlstate in {"PF009", "23505"}


def test_a_tenant_reads_and_writes_no_table_and_claims_nothing(shop: Shop):
    for query in (
        "select * from pgflow.runs",
        "update pgflow.runs set tags = '{}'",
        f"select pgflow.claim_tasks(array['greet'], 1, '{uuid.uuid4()}')",
        "select pgflow.prune_by_policy()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            shop.rows("tenant_acme", query)


@pytest.fixture
def by_setting(shop: Shop) -> Iterator[None]:
    """The policy for an application that logs in once, in place of the one for logins."""
    shop.rows("shop_owner", BY_SETTING)
    yield
    shop.rows("shop_owner", "drop policy tenants_have_their_own on pgflow.runs")
    shop.rows("shop_owner", OWNER)


@pytest.mark.usefixtures("runs", "by_setting")
def test_an_application_that_logs_in_once_has_what_is_of_the_tenant_that_it_sets(
    shop: Shop, flow: Flow[str]
):
    tags = {"tenant": "acme"}
    with psycopg.connect(shop.url("shop_app"), autocommit=True) as conn:

        def set_tenant(name: str) -> None:
            conn.execute("select set_config('app.tenant', %s, true)", [name])

        with conn.transaction():
            set_tenant("acme")
            run = Client(conn).start_flow(flow, "Ada", tags=tags)
        with conn.transaction():
            set_tenant("globex")
            with pytest.raises(RunNotFound):
                Client(conn).get_run(run.run_id)
        with conn.transaction(force_rollback=True):
            set_tenant("globex")
            with pytest.raises(PermissionRefused):
                Client(conn).start_flow(flow, "Ada", tags=tags)
    status = "select status from pgflow.runs where run_id = %s"

    def is_completed() -> bool:
        return shop.rows("shop_owner", status, run.run_id) == [("completed",)]

    async def work() -> None:
        # The worker sets nothing, and does the work of all.
        async with running_worker([flow], shop.url("shop_worker")):
            await asyncio.to_thread(until, is_completed, PATIENCE)

    asyncio.run(work())
