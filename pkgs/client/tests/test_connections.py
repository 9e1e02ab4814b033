"""A client on the caller's own connection, on a pool, and on what is neither."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from pgflow_client import (
    AsyncClient,
    Client,
    ClientClosed,
    DatabaseUnreachable,
    FlowNotFound,
    PermissionRefused,
    SchemaMissing,
    WaitInTransaction,
)
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

connect = psycopg.AsyncConnection.connect


async def test_a_run_started_in_a_transaction_that_rolls_back_was_never_there(db, hand, greet):
    async with await connect(db) as caller:
        client = AsyncClient(caller)
        async with caller.transaction(force_rollback=True):
            run = await client.start_flow(greet, "you")
            assert (await run.refresh()).status == "started"
            await client.start_flows(greet, ["x"] * 1001)
        assert hand.runs() == 0


async def test_a_run_started_in_a_transaction_is_there_when_the_caller_commits(db, hand, greet):
    async with await connect(db) as caller, AsyncClient(caller) as client:
        await caller.execute("create table orders (id int)")
        run = await client.start_flow(greet, "you")
        await client.start_flows(greet, ["x"] * 1001)
        assert hand.runs() == 0
        await caller.commit()
        assert hand.runs() == 1002
        hand.complete(run.run_id, "hello", "hi")
        await run.wait()


async def test_a_wait_that_could_never_end_is_refused(db, hand, greet):
    async with await connect(db) as caller, AsyncClient(caller) as client:
        run = await client.start_flow(greet, "you")
        with pytest.raises(WaitInTransaction, match="commit, then wait"):
            await run.wait()
        with pytest.raises(WaitInTransaction):
            await anext(run.events())
        await caller.commit()
        with pytest.raises(TimeoutError):
            await run.wait(timedelta(0))


async def test_looking_begins_no_transaction_on_the_callers_connection(db, hand, greet):
    async with await connect(db) as caller, AsyncClient(caller) as client:
        run = await client.start_flow(greet, "you")
        await caller.commit()
        found = await client.get_run(run.run_id)
        await found.progress()
        assert caller.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        wait = asyncio.create_task(found.wait())
        hand.complete(run.run_id, "hello", "hi")
        await wait
        assert await found.result() == {"hello": "hi"}
        assert hand.watched() == set()
        assert caller.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_the_callers_rows_cursors_and_json_are_its_own(db, hand, greet):
    def loads(text):
        raise AssertionError("the caller's JSON loader is not for us")

    async with await connect(
        db, autocommit=True, row_factory=dict_row, cursor_factory=psycopg.AsyncRawCursor
    ) as caller:
        set_json_loads(loads, caller)
        client = AsyncClient(caller)
        (run, *_) = await client.start_flows(greet, ["x"] * 1001)
        hand.complete(run.run_id, "hello", "hi")
        assert await run.result() == {"hello": "hi"}
        cursor = await caller.execute("select $1::int as one", [1])
        assert await cursor.fetchone() == {"one": 1}


async def test_an_error_in_the_callers_transaction_is_the_callers_to_roll_back(db, greet):
    async with await connect(db) as caller:
        client = AsyncClient(caller)
        with pytest.raises(FlowNotFound):
            await client.start_flow("missing")
        assert caller.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        await caller.rollback()
        await client.start_flow(greet, "you")


async def test_closing_a_client_leaves_the_callers_connection_open(db, greet):
    async with await connect(db) as caller:
        async with AsyncClient(caller) as client:
            run = await client.start_flow(greet, "you")
        with pytest.raises(ClientClosed):
            await run.refresh()
        await caller.execute("select 1")


@pytest.mark.direct("nothing listens there")
async def test_a_client_borrows_from_a_pool_and_listens_beside_it(
    db, hand, greet, eventually, no_polling
):
    settings = {"application_name": "pgflow-client"}
    async with (
        AsyncConnectionPool(db, min_size=1, max_size=1, kwargs=settings, open=False) as pool,
        AsyncClient(pool) as client,
    ):
        run = await client.start_flow(greet, "you")
        waits = [asyncio.create_task(run.wait()) for _ in range(5)]
        await eventually(lambda: hand.watched() and len(hand.listeners()) == 1)
        hand.complete(run.run_id, "hello", "hi")
        await asyncio.gather(*waits)
        assert await run.result() == {"hello": "hi"}
        assert len(hand.backends()) == 2


async def test_a_closed_client_says_so(db, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
    with pytest.raises(ClientClosed, match="the client is closed"):
        await client.start_flow(greet, "you")
    for use in (
        *(run.wait, run.refresh, run.result, run.cancel, run.retry, run.events().__anext__),
        *(run.step("hello").wait, run.step("hello").output, run.stream("hello").__anext__),
        *(client.list_runs().__anext__, client.list_flows, client.schema_version),
        lambda: client.get_run(run.run_id),
        lambda: client.start_flows(greet, ["you"]),
    ):
        with pytest.raises(ClientClosed):
            await use()


async def test_nothing_is_opened_before_it_is_needed(greet):
    async with AsyncClient("postgresql://nowhere.invalid/db"):
        pass


def test_what_is_no_way_to_a_database_is_refused(conn):
    with pytest.raises(TypeError, match=r"AsyncClient takes .* or an AsyncConnection, not C"):
        AsyncClient(conn)
    with pytest.raises(TypeError, match="Client takes a URL, a ConnectionPool or a Connection, no"):
        Client(None)
    with pytest.raises(DatabaseUnreachable, match="this is not a database URL"):
        AsyncClient("postgresql//typo")
    for kind in (AsyncClient, Client):
        with pytest.raises(DatabaseUnreachable, match="the database URL is empty"):
            kind(" ")
    with pytest.raises(ValueError, match="max_connections is 1 or more, not 0"):
        AsyncClient("", max_connections=0)


async def test_a_database_without_pgflow_says_how_to_install_it(postgres, greet):
    async with AsyncClient(postgres.url()) as client:
        with pytest.raises(SchemaMissing, match="run `pgflow install`"):
            await client.start_flow(greet, "you")


async def test_an_older_schema_says_how_to_install_this_one(db, conn, greet):
    conn.execute("drop function pgflow.start_flow cascade")
    async with AsyncClient(db) as client:
        with pytest.raises(SchemaMissing, match=r"start_flow.*run `pgflow install`"):
            await client.start_flow(greet, "you")


async def test_a_newer_schema_says_what_to_upgrade(db, conn, greet):
    # A later version may take other arguments.
    conn.execute("drop function pgflow.start_flows cascade")
    conn.execute(
        "create function pgflow.start_flows(flow_slug text, inputs jsonb[], more text)"
        " returns setof uuid language sql as 'select gen_random_uuid()'"
    )
    async with AsyncClient(db) as client:
        with pytest.raises(SchemaMissing, match=r"start_flows.*newer, upgrade the packages"):
            await client.start_flows(greet, ["you"])


@pytest.mark.direct("PgBouncer logs everybody in as one user here")
async def test_a_user_without_rights_is_told_which_role_to_have(db, conn, greet):
    conn.execute("drop role if exists nobody_much")
    conn.execute("create role nobody_much login")
    try:
        async with AsyncClient(psycopg.conninfo.make_conninfo(db, user="nobody_much")) as client:
            with pytest.raises(PermissionRefused, match="grant it the role pgflow_client"):
                await client.start_flow(greet, "you")
            conn.execute("grant pgflow_client to nobody_much")
            run = await client.start_flow(greet, "you")
            with pytest.raises(TimeoutError):
                await run.wait(timedelta(0))
    finally:
        conn.execute("drop role nobody_much")


async def test_the_schemas_version_can_be_asked_for(db):
    async with AsyncClient(db) as client:
        assert await client.schema_version() >= 1


async def test_statements_are_not_prepared_where_a_pooler_would_lose_them(db, greet):
    async with AsyncClient(db, max_connections=1, prepare_threshold=None) as client:
        for _ in range(8):
            await client.start_flow(greet, "you")
        # The one connection there is, to ask what it has prepared.
        async with client._hub.database.connection() as conn:
            cursor = await conn.execute("select count(*) from pg_prepared_statements")
            assert await cursor.fetchone() == (0,)
