"""The raw limit: a table made by hand, claimed with SKIP LOCKED and completed in batches.

Two transactions a batch, durable commits, one or two connections. No workflow engine can be faster
than what does nothing but this.
"""

import asyncio
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))
import protocol

BATCH = 500
TABLE = """
create table job (
  id bigint generated always as identity primary key,
  status text not null default 'queued',
  input jsonb not null,
  output jsonb,
  started_at timestamptz,
  completed_at timestamptz
) with (fillfactor = 80);
create index job_queued_idx on job (id) where status = 'queued';
"""
CLAIM = """
update job set status = 'started', started_at = clock_timestamp()
where id = any (array(
  select id from job where status = 'queued' order by id limit %s for update skip locked
))
returning id, input::text
"""
COMPLETE = """
update job set status = 'completed', completed_at = clock_timestamp(), output = done.output
from unnest(%s::bigint[], %s::jsonb[]) as done (id, output)
where job.id = done.id and job.status = 'started'
"""
PLAN = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
# What one start writes in the flow engine: a run, a step state, and a task.
START_TABLES = """
create table bare_run (id uuid primary key, input jsonb not null, status text not null);
create table bare_step (id uuid, slug text, status text not null, primary key (id, slug));
create table bare_task (id uuid, slug text, place int, input jsonb, primary key (id, slug, place));
"""
START = """
with run as (insert into bare_run values (gen_random_uuid(), '1', 'started') returning id),
  step as (insert into bare_step select id, 'only', 'started' from run returning id)
insert into bare_task select id, 'only', 0, '1' from step
"""


async def _work(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=0, options=PLAN
    ) as conn:
        while True:
            rows = await (await conn.execute(CLAIM, (BATCH,))).fetchall()
            if not rows:
                return
            await conn.execute(COMPLETE, ([row[0] for row in rows], [row[1] for row in rows]))


def _drain(url: str, count: int, connections: int) -> Generator[None, None, dict[str, Any]]:
    async def work() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(_work(url) for _ in range(connections)))
        return time.perf_counter() - began

    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(TABLE.encode())
        conn.execute(
            "insert into job (input) select to_jsonb(n) from generate_series(1, %s) as n", (count,)
        )
        conn.execute("vacuum analyze job")
    yield
    return {"seconds": asyncio.run(work()), "units": count}


def drain_one(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain on one connection."""
    return _drain(url, count, 1)


def drain_two(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain on two connections, one of which commits while the other works."""
    return _drain(url, count, 2)


def start(url: str, count: int, connections: int) -> Generator[None, None, dict[str, Any]]:
    """Insert the three rows of a start, one transaction each."""

    async def insert(share: int) -> None:
        async with await psycopg.AsyncConnection.connect(
            url, autocommit=True, prepare_threshold=0
        ) as conn:
            for _ in range(share):
                await conn.execute(START)

    async def work() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(insert(count // connections) for _ in range(connections)))
        return time.perf_counter() - began

    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(START_TABLES.encode())
    yield
    return {"seconds": asyncio.run(work()), "units": count // connections * connections}


def notify(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """A bare NOTIFY round trip: from before it is sent to its arrival on another connection."""
    latencies: list[float] = []
    with (
        psycopg.connect(url, autocommit=True) as sender,
        psycopg.connect(url, autocommit=True) as listener,
    ):
        listener.execute("listen bench")
        yield
        for _ in range(count):
            time.sleep(0.03)
            began = time.perf_counter()
            sender.execute("notify bench")
            next(listener.notifies(timeout=5, stop_after=1))
            latencies.append(1000 * (time.perf_counter() - began))
    return {"latencies_ms": latencies}


def commit(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """A durable commit of one row, idle: a chain of five is seven of them one after another."""
    latencies: list[float] = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as conn:
        conn.execute("create table bench_row (number bigint primary key)")
        yield
        for number in range(count):
            time.sleep(0.03)
            began = time.perf_counter()
            conn.execute("insert into bench_row values (%s)", (number,))
            latencies.append(1000 * (time.perf_counter() - began))
    return {"latencies_ms": latencies}


if __name__ == "__main__":
    protocol.main(
        {
            "W1-one": drain_one,
            "W1": drain_two,
            "W4-notify": notify,
            "W4-commit": commit,
            **{
                f"W6-{connections}": lambda url, count, of=connections: start(url, count, of)
                for connections in (1, 8, 32)
            },
        }
    )
