"""Through PgBouncer in transaction mode, where a session is lent to whoever asks next."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, Client, RunEnded
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

from pkgs.worker.tests.paying import check, open_books, paying
from tests.support import throwaway_server, until
from tests.support.pgbouncer import PgBouncer, pgbouncer

PATIENCE = timedelta(seconds=60)
HOUR = timedelta(hours=1)


def doubling(slug: str = "doubling") -> Flow[int]:
    flow = Flow(slug, input=int)

    @flow.step
    async def first(number: int = flow.input) -> int:
        return number

    @flow.step
    def second(number: int = first.output) -> int:
        return 2 * number

    return flow


@pytest.fixture
def pooler(postgres: EmbeddedServer) -> Iterator[PgBouncer]:
    with pgbouncer(postgres, default_pool_size="1") as started:
        yield started


@pytest.fixture
def pooled(pooler: PgBouncer, db: str) -> str:
    """The URL of the test's database through one server connection, which all clients share."""
    return pooler.url(name_of(db))


def name_of(db: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(db)["dbname"])


def left_behind(pooled: str) -> tuple[Any, ...] | None:
    """What the one server connection remembers of those who had it."""
    with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as conn:
        return conn.execute("""
            select (select count(*) from pg_prepared_statements),
              (select count(*) from pg_listening_channels()),
              (select count(*) from pg_locks where locktype = 'advisory'),
              current_setting('statement_timeout')
        """).fetchone()


@contextmanager
def worker_process(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`pgflow worker shop` in a process of its own, which has to end in good order."""
    command = [sys.executable, "-m", "pgflow_cli", "worker", "shop", *words]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "NO_COLOR": "1"})
    try:
        yield process
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(20)


def test_all_of_pgflow_works_through_one_connection_that_all_share(
    shop: Any, tmp_path: Path, pooler: PgBouncer, postgres: EmbeddedServer
):
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute("create database pooled")
    url = pooler.url("pooled")
    try:
        with worker_process(tmp_path, "--database-url", url, "--install"), Client(url) as client:
            until(lambda: has_flows(url), PATIENCE)
            run = client.start_flow(
                shop.order, shop.Order(number=1, items=["hat", "shy", "shoe"], gift=True)
            )
            events = list(run.events())
            assert isinstance(events[-1], RunEnded)
            assert events[-1].status == "completed"
            assert run.output_of(shop.ship) == "13 kg, 3 bows"

            with psycopg.connect(url) as mine:
                mine.execute("create table orders (number int)")
                mine.execute("insert into orders values (2)")
                run = Client(mine).start_flow(shop.order, shop.Order(number=2, items=["a"]))
            assert client.get_run(run.run_id, shop.order).result(PATIENCE) == {
                "ship": "3 kg, plain"
            }
            runs = client.start_flows(
                shop.order, [shop.Order(number=n, items=["a", "b"]) for n in range(50)]
            )
            for each in runs:
                each.wait(PATIENCE)
        assert left_behind(url) == (0, 0, 0, "0")
    finally:
        pooler.kill()
        with psycopg.connect(postgres.url(), autocommit=True) as admin:
            admin.execute("drop database pooled with (force)")


def has_flows(url: str) -> bool:
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("select to_regclass('pgflow.flows') is not null").fetchone()
        assert row is not None
        return bool(row[0]) and conn.execute("select from pgflow.flows").fetchone() is not None


def unfinished(db: str) -> int:
    with psycopg.connect(db) as conn:
        row = conn.execute(
            "select count(*) from pgflow.step_tasks"
            " where status <> 'completed' or attempts_count - released_count <> 1"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def has_ended(db: str) -> None:
    await asyncio.to_thread(until, lambda: unfinished(db) == 0, PATIENCE)


def test_a_pooler_that_dies_and_comes_back_loses_nothing(pooler: PgBouncer, pooled: str, db: str):
    flow = doubling()

    async def restart() -> None:
        async with running_worker([flow], pooled), AsyncClient(db) as client:
            await client.start_flows(flow, list(range(1000)))
            pooler.kill()
            assert unfinished(db) > 0
            await asyncio.to_thread(pooler.start)
            await has_ended(db)

    asyncio.run(restart())


@pytest.mark.slow
def test_a_server_that_restarts_behind_a_pooler_loses_nothing(caplog: pytest.LogCaptureFixture):
    import pgflow_core_sql

    flow = doubling()
    with throwaway_server({"fsync": "off"}) as server, pgbouncer(server) as pooler:
        url = pooler.url("postgres")
        pgflow_core_sql.Migrator(url).migrate()

        async def restart() -> None:
            async with running_worker([flow], url), AsyncClient(url) as client:
                run = await client.start_flow(flow, 1)
                await run.wait(PATIENCE)
                server.stop()
                # By the server's last word, or by PgBouncer's that logins fail: neither is a reason
                # to give up.
                await asyncio.to_thread(until, lambda: "does not answer" in caplog.text)
                server.start()
                # Not through PgBouncer, which tells clients of the outage for a second more.
                async with AsyncClient(server.url()) as direct:
                    for run in await direct.start_flows(flow, [2, 3]):
                        await run.wait(PATIENCE)

        asyncio.run(restart())


def test_notifications_and_prepared_statements_are_used_where_the_user_knows_better(
    postgres: EmbeddedServer, db: str, conn: psycopg.Connection[Any]
):
    flow = doubling()
    wanted = WorkerOptions(listen=True, prepared_statements=True, poll_interval=HOUR)

    async def serve(url: str) -> Any:
        async with running_worker([flow], url, wanted), AsyncClient(db) as client:
            # It hears of the run long before it would look for it.
            await asyncio.to_thread(until, lambda: is_listening(conn))
            return await (await client.start_flow(flow, 4)).result(PATIENCE)

    with pgbouncer(postgres, pool_mode="session", default_pool_size="20") as sessions:
        url = sessions.url(name_of(db))
        assert asyncio.run(serve(url)) == {"second": 8}


def is_listening(conn: psycopg.Connection[Any]) -> bool:
    found = conn.execute(
        "select from pg_stat_activity where application_name = 'pgflow ear'"
        " and query ilike 'listen%' and state = 'idle' and datname = current_database()"
    )
    return found.fetchone() is not None


def test_a_worker_that_is_told_to_prepare_where_it_cannot_goes_without(
    pooled: str, db: str, conn: psycopg.Connection[Any]
):
    flow = doubling()

    async def serve() -> None:
        options = WorkerOptions(prepared_statements=True)
        async with running_worker([flow], pooled, options), AsyncClient(db) as client:
            for run in await client.start_flows(flow, list(range(50))):
                await run.wait(PATIENCE)

    asyncio.run(serve())
    assert unfinished(db) == 0


def test_a_worker_says_that_it_polls_behind_a_pooler(
    pooled: str, db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow = doubling()

    async def serve() -> None:
        async with running_worker([flow], pooled), AsyncClient(db) as client:
            await (await client.start_flow(flow, 1)).wait(PATIENCE)

    with caplog.at_level("INFO", "pgflow.worker"):
        asyncio.run(serve())
    assert "the worker polls, and does not listen" in caplog.text
    assert left_behind(pooled) == (0, 0, 0, "0")


def test_a_client_marks_no_run_as_watched_where_it_cannot_be_told(
    pooled: str, db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    def marks() -> int:
        row = conn.execute("select count(*) from pgflow.run_watchers").fetchone()
        assert row is not None
        return int(row[0])

    def has_given_up() -> bool:
        return "polled, not listened to" in caplog.text

    async def watch(url: str, is_settled: Callable[[], bool]) -> int:
        flow = Flow("watched", input=int)
        released = asyncio.Event()

        @flow.step
        async def only(number: int = flow.input) -> int:
            await released.wait()
            return number

        async with running_worker([flow], db), AsyncClient(url) as client:
            run = await client.start_flow(flow, 1)
            waiting = asyncio.create_task(run.result(PATIENCE))
            await asyncio.to_thread(until, is_settled)
            marked = marks()
            released.set()
            assert await waiting == {"only": 1}
        return marked

    with caplog.at_level("INFO", "pgflow.client"):
        assert asyncio.run(watch(db, lambda: marks() > 0)) == 1
        assert not has_given_up()
        assert asyncio.run(watch(pooled, has_given_up)) == 0


def test_a_client_asks_about_all_its_runs_at_once_where_it_cannot_be_told(
    pooled: str, db: str, monkeypatch: pytest.MonkeyPatch
):
    from pgflow_client._async.database import Database

    flow = doubling()
    released = asyncio.Event()
    calls: list[str] = []
    call = Database.call

    @flow.step
    async def gate(number: int = flow.steps[-1].output) -> int:
        await released.wait()
        return number

    async def note(self: Database, asked: Any) -> Any:
        calls.append(asked.sql.partition("pgflow.")[2].partition("(")[0])
        return await call(self, asked)

    async def watch() -> None:
        async with running_worker([flow], db), AsyncClient(pooled) as client:
            runs = await client.start_flows(flow, list(range(50)))
            waits = [asyncio.create_task(run.result(PATIENCE)) for run in runs]
            while calls.count("get_run_versions") < 5:
                await asyncio.sleep(0.01)
            calls.clear()
            while calls.count("get_run_versions") < 3:
                await asyncio.sleep(0.01)
            # Nothing happened meanwhile, so no run was looked at.
            assert set(calls) == {"get_run_versions"}
            released.set()
            assert await asyncio.gather(*waits) == [{"gate": 2 * number} for number in range(50)]

    monkeypatch.setattr(Database, "call", note)
    asyncio.run(watch())


def test_transactional_handlers_commit_through_the_pooler_and_leave_nothing_behind(
    pooled: str, db: str
):
    flows = [paying("async", "paying_on_loop"), paying("sync", "paying_in_thread")]

    async def pay() -> None:
        async with running_worker(flows, pooled), AsyncClient(db) as client:
            for amount in range(8):
                run = await client.start_flow(flows[amount % 2], amount)
                assert await run.result(PATIENCE) == {"confirm": amount}

    with psycopg.connect(db, autocommit=True) as books:
        open_books(books)
        asyncio.run(pay())
        check(books, 8)
    assert left_behind(pooled) == (0, 0, 0, "0")
