"""One client before several databases, all on the one server of the bench: what routing costs.

A server for each would take other machines. Here the databases share CPUs, WAL and disk, so these
figures say what is lost by going over several databases, and nothing of what is won. WAL and CPU
time are of all databases, commits of the first one alone.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import psycopg
from pgflow_client import AsyncShardedClient
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow_bench import flows
from pgflow_bench.serving import install, settle, until_done, workers_elsewhere

_STARTED_AT_ONCE: Final = 100
_STARTERS: Final = 8


@contextmanager
def databases(url: str, count: int) -> Iterator[dict[str, str]]:
    """Make so many databases, the one that is given among them, each with the schema and a flow."""
    name = conninfo_to_dict(url)["dbname"]
    names = [f"{name}_{number}" for number in range(1, count)]
    shards = {"shard 0": url}
    with psycopg.connect(url, autocommit=True) as conn:
        for number, each in enumerate(names, 1):
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(each)))
            shards[f"shard {number}"] = make_conninfo(url, dbname=each)
        for shard in shards.values():
            install(shard, flows.one)
        try:
            yield shards
        finally:
            for each in names:
                drop = sql.SQL("drop database {} with (force)")
                conn.execute(drop.format(sql.Identifier(each)))


def started(shards: dict[str, str], count: int) -> float:
    """Start so many runs, one a call, eight at a time; return the seconds that took."""

    async def start(client: AsyncShardedClient, share: int) -> None:
        for _ in range(share):
            await client.start_flow(flows.one, 1)

    async def start_all() -> float:
        async with AsyncShardedClient(shards, max_connections=_STARTERS) as client:
            await start(client, 50)
            began = time.perf_counter()
            await asyncio.gather(*(start(client, count // _STARTERS) for _ in range(_STARTERS)))
            return time.perf_counter() - began

    return asyncio.run(start_all())


def fill(shards: dict[str, str], count: int) -> None:
    """Start so many runs, a hundred a call."""

    async def start_all() -> None:
        async with AsyncShardedClient(shards) as client:
            for _ in range(count // _STARTED_AT_ONCE):
                await client.start_flows(flows.one, [1] * _STARTED_AT_ONCE)

    asyncio.run(start_all())
    for shard in shards.values():
        settle(shard)


def drained(shards: dict[str, str], workers: int) -> float:
    """Drain all runs with so many worker processes for each database; return the seconds."""

    async def until_all_done() -> None:
        await asyncio.gather(*(until_done(shard, flows.one) for shard in shards.values()))

    began = time.perf_counter()
    with ExitStack() as stack:
        for shard in shards.values():
            stack.enter_context(workers_elsewhere(shard, flows.one, workers))
        asyncio.run(until_all_done())
        return time.perf_counter() - began
