"""A standby takes the place of the primary while workers are at work."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pgflow_core_sql
import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

from tests.support import throwaway_server, until
from tests.support.replicas import crash, standby_of, url_of_primary

pytestmark = pytest.mark.slow

PATIENCE = timedelta(seconds=60)
RUNS = 300


class Counting:
    """A chain of two steps that counts how often each is executed."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, int]] = Counter()
        self.flow = flow = Flow("counting", input=int)

        @flow.step
        async def first(number: int = flow.input) -> int:
            self.calls["first", number] += 1
            await asyncio.sleep(0.02)
            return number

        @flow.step
        async def second(number: int = first.output) -> int:
            self.calls["second", number] += 1
            await asyncio.sleep(0.02)
            return 2 * number


@contextmanager
def pair() -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    with throwaway_server({"fsync": "off"}) as primary:
        pgflow_core_sql.Migrator(primary.url()).migrate()
        with standby_of(primary) as standby:
            yield primary, standby


def wait_for_the_standby(primary: EmbeddedServer) -> None:
    """Have every commit wait until the standby has it."""
    with psycopg.connect(primary.url(), autocommit=True) as conn:
        conn.execute("alter system set synchronous_standby_names = '*'")
        conn.execute("select pg_reload_conf()")


def follow_no_more(standby: EmbeddedServer) -> None:
    """Have the standby fall behind: what commits from now on, it will never have."""
    with psycopg.connect(standby.url(), autocommit=True) as conn:
        conn.execute("alter system set primary_conninfo = ''")
        conn.execute("select pg_reload_conf()")
        until(lambda: conn.execute("select from pg_stat_wal_receiver").fetchone() is None, PATIENCE)


def promote(standby: EmbeddedServer) -> None:
    with psycopg.connect(standby.url(), autocommit=True) as conn:
        assert conn.execute("select pg_promote()").fetchone() == (True,)


def one(server: EmbeddedServer, query: str) -> Any:
    with psycopg.connect(server.url()) as conn:
        row = conn.execute(query.encode()).fetchone()
    return row and row[0]


def is_under_way(server: EmbeddedServer) -> bool:
    ended = one(server, "select count(*) from pgflow.step_tasks where status = 'completed'")
    return bool(ended > RUNS // 4)


def is_over(server: EmbeddedServer) -> bool:
    return bool(one(server, "select bool_and(status = 'completed') from pgflow.runs"))


def fail_over(
    counting: Counting,
    primary: EmbeddedServer,
    standby: EmbeddedServer,
    change: Callable[[], None],
) -> list[Any]:
    """Change servers while two workers and a client are at work, and return what runs gave."""
    url = url_of_primary("postgres", primary, standby)

    async def serve() -> list[Any]:
        options = WorkerOptions(concurrency=10)
        async with (
            running_worker([counting.flow], url, options),
            running_worker([counting.flow], url, options),
            AsyncClient(url) as client,
        ):
            runs = await client.start_flows(counting.flow, list(range(RUNS)))
            await asyncio.to_thread(until, lambda: is_under_way(primary), PATIENCE)
            await asyncio.to_thread(change)
            results = [await run.result(PATIENCE) for run in runs]
            # Both serve the new primary, and hear of new work there.
            again = await client.start_flows(counting.flow, [RUNS, RUNS + 1])
            return results + [await run.result(PATIENCE) for run in again]

    return asyncio.run(asyncio.wait_for(serve(), 100))


def test_a_primary_that_dies_is_replaced_and_every_step_is_done_once():
    counting = Counting()
    with pair() as (primary, standby):
        wait_for_the_standby(primary)

        def change() -> None:
            crash(primary)
            promote(standby)

        results = fail_over(counting, primary, standby, change)
        assert results == [{"second": 2 * number} for number in range(RUNS + 2)]
        once = "select bool_and(attempts_count - released_count = 1) from pgflow.step_tasks"
        assert one(standby, once) is True
    assert set(counting.calls.values()) == {1}
    assert len(counting.calls) == 2 * (RUNS + 2)


def test_a_primary_that_is_switched_over_in_order_goes_on_as_a_standby():
    counting = Counting()
    with pair() as (primary, standby):
        wait_for_the_standby(primary)

        def change() -> None:
            primary.stop()
            promote(standby)
            # It comes back as one that only reads, first in the list of hosts.
            (primary.data / "standby.signal").touch()
            primary.start()
            assert one(primary, "select pg_is_in_recovery()") is True

        results = fail_over(counting, primary, standby, change)
        assert results == [{"second": 2 * number} for number in range(RUNS + 2)]
    assert set(counting.calls.values()) == {1}


def test_a_server_that_only_reads_is_left_for_one_that_takes_writes():
    counting = Counting()
    with pair() as (primary, standby):
        wait_for_the_standby(primary)

        def change() -> None:
            # Nobody is told: the connections stay, and every write on them is refused.
            with psycopg.connect(primary.url(), autocommit=True) as conn:
                conn.execute("alter system set default_transaction_read_only = on")
                conn.execute("select pg_reload_conf()")
            promote(standby)
            until(lambda: is_over(standby), PATIENCE)
            # The client only reads, and is answered there for as long as it lives.
            crash(primary)

        results = fail_over(counting, primary, standby, change)
        assert results == [{"second": 2 * number} for number in range(RUNS + 2)]


def test_commits_that_the_new_primary_never_had_are_made_again():
    counting = Counting()
    with pair() as (primary, standby):
        behind = {"ended": 0}

        def change() -> None:
            follow_no_more(standby)
            behind["ended"] = one(standby, COMPLETED)
            until(lambda: one(primary, COMPLETED) > behind["ended"] + 50, PATIENCE)
            crash(primary)
            promote(standby)

        results = fail_over(counting, primary, standby, change)
        assert results == [{"second": 2 * number} for number in range(RUNS + 2)]
        assert one(standby, "select count(*) from pgflow.step_tasks") == 2 * (RUNS + 2)
        assert is_over(standby)
    # What was lost was done twice, and recorded once.
    assert max(counting.calls.values()) == 2


COMPLETED = "select count(*) from pgflow.step_tasks where status = 'completed'"
