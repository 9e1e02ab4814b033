"""Clients and commands on a standby that only reads."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pgflow_core_sql
import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, Client, DatabaseReadOnly, RunEnded
from pgflow_dsl import Flow, compile_flow
from pgflow_worker.testing import running_worker

from tests.support import throwaway_server
from tests.support.replicas import catch_up, standby_of, url_of_primary

PATIENCE = timedelta(seconds=60)

Pair = tuple[EmbeddedServer, EmbeddedServer]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary with one run that is done and one that is not, and a standby that has them."""
    with throwaway_server({"fsync": "off"}) as primary:
        pgflow_core_sql.Migrator(primary.url()).migrate()
        with standby_of(primary) as standby:
            yield primary, standby


@pytest.fixture
def greet(pair: Pair) -> Flow[str]:
    flow = Flow("greet", input=str)

    @flow.step
    async def hello(name: str = flow.input) -> str:
        return f"hello {name}"

    with psycopg.connect(pair[0].url(), autocommit=True) as conn:
        conn.execute(compile_flow(flow).encode())
    return flow


@pytest.fixture
def runs(pair: Pair, greet: Flow[str]) -> tuple[UUID, UUID]:
    """A run that is done, and one that waits."""
    primary, standby = pair

    async def make() -> tuple[UUID, UUID]:
        async with running_worker([greet], primary.url()), AsyncClient(primary.url()) as client:
            done = await client.start_flow(greet, "Ada", tags={"done": True})
            await done.wait(PATIENCE)
            waiting = await client.start_flow(greet, "Bob", delay=timedelta(hours=1))
            return done.run_id, waiting.run_id

    made = asyncio.run(make())
    catch_up(primary, standby)
    return made


def command(url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pgflow_cli", *words, "--database-url", url],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_client_reads_on_a_standby_and_polls_for_events(
    pair: Pair, greet: Flow[str], runs: tuple[UUID, UUID], caplog: pytest.LogCaptureFixture
):
    primary, standby = pair
    done, waiting = runs

    async def follow() -> None:
        async with AsyncClient(standby.url()) as replica, AsyncClient(primary.url()) as client:
            assert [run.run_id async for run in replica.list_runs(page=1)][:2] == [waiting, done]
            (tagged,) = [run async for run in replica.list_runs(greet, tags={"done": True})]
            assert tagged.run_id == done
            assert await (await replica.get_run(done, greet)).result(PATIENCE) == {
                "hello": "hello Ada"
            }
            assert [flow.flow_slug for flow in await replica.list_flows()] == ["greet"]
            assert await replica.schema_version() == await client.schema_version()
            run = await replica.get_run(waiting, greet)
            last = None
            async for event in run.events():
                # Cancelled while it is followed, so the rest has to be looked for.
                if last is None:
                    await (await client.get_run(waiting)).cancel("enough")
                last = event
            assert isinstance(last, RunEnded)
            assert last.error_message == "enough"

    with caplog.at_level("INFO", "pgflow.client"):
        asyncio.run(follow())
    assert "it only follows another" in caplog.text
    # It did not have to try.
    assert "LISTEN" not in caplog.text


def test_what_would_write_is_refused_with_what_to_name_instead(
    pair: Pair, greet: Flow[str], runs: tuple[UUID, UUID]
):
    with Client(pair[1].url()) as replica:
        run = replica.get_run(runs[1])
        for write in (run.cancel, run.retry, lambda: replica.start_flow(greet, "you")):
            with pytest.raises(DatabaseReadOnly, match=r"only reads .* name the primary"):
                write()
    said = command(pair[1].url(), "runs", "cancel", str(runs[1]))
    assert said.returncode == 1
    assert "this server only reads" in said.stderr
    assert "CONTEXT" not in said.stderr


def test_commands_that_only_look_work_on_a_standby(pair: Pair, runs: tuple[UUID, UUID]):
    url = pair[1].url()
    done = str(runs[0])
    for words, expected in (
        (["runs", "list"], done),
        (["runs", "show", done], "completed"),
        (["watch", done], "completed"),
        (["status"], "greet"),
        (["workers"], "no workers"),
    ):
        said = command(url, *words)
        assert said.returncode == 0, said.stderr
        assert expected in said.stdout


def start_again_and_again(client: Client, flow: Flow[int]) -> None:
    while True:
        client.start_flow(flow, 2)


@pytest.mark.slow
def test_a_client_that_finds_its_server_read_only_looks_for_the_primary():
    flow = Flow("plain", input=int)

    @flow.step
    def only(number: int = flow.input) -> int:
        return number

    with throwaway_server({"fsync": "off"}) as primary:
        pgflow_core_sql.Migrator(primary.url()).migrate()
        with psycopg.connect(primary.url(), autocommit=True) as conn:
            conn.execute(compile_flow(flow).encode())
        with standby_of(primary) as standby:
            catch_up(primary, standby)
            url = url_of_primary("postgres", primary, standby)
            with Client(url) as client:
                client.start_flow(flow, 1)
                catch_up(primary, standby)
                with psycopg.connect(primary.url(), autocommit=True) as conn:
                    # Connections stay as they are.
                    conn.execute("alter system set default_transaction_read_only = on")
                    conn.execute("select pg_reload_conf()")
                with psycopg.connect(standby.url(), autocommit=True) as conn:
                    assert conn.execute("select pg_promote()").fetchone() == (True,)
                with pytest.raises(DatabaseReadOnly):
                    start_again_and_again(client, flow)
                run = client.start_flow(flow, 3)
            with Client(standby.url()) as client:
                assert client.get_run(run.run_id).status == "started"
