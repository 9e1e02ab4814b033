"""Workers that are killed in the midst of a transaction: no effect is doubled, none is lost."""

import asyncio
import os
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

from pkgs.worker.tests.paying import check, open_books, paying, value
from tests.support.proxy import Fault, proxy

PATIENCE = timedelta(seconds=60)

PROGRAM = """
import asyncio, sys
from datetime import timedelta
from pgflow_worker import Worker, WorkerOptions
from pkgs.worker.tests.paying import paying

kind, slug, url = sys.argv[1:]
options = WorkerOptions(
    lease=timedelta(seconds=1), heartbeat_interval=timedelta(seconds=0.3), lanes=1
)
asyncio.run(Worker([paying(kind, slug)], url, options).run())
"""

# The statement at which a worker is killed: before the server gets it, or when it has done it.
# 1 the start, 2 begin, 3 enter, 4 and 5 the handler's, 6 forget, 7 complete, 8 commit.
MOMENTS: list[tuple[str, int, Literal["request", "answer"]]] = [
    ("async", 2, "answer"),
    ("async", 4, "answer"),
    ("async", 7, "answer"),
    ("async", 8, "request"),
    ("async", 8, "answer"),
    ("sync", 5, "answer"),
    ("sync", 7, "request"),
    ("sync", 8, "request"),
    ("sync", 8, "answer"),
]


@pytest.mark.slow
def test_workers_that_are_killed_at_any_moment_double_and_lose_no_effect(
    db: str, conn: psycopg.Connection[Any], postgres: EmbeddedServer, tmp_path: Path
):
    open_books(conn)
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    flows = [paying(kind, f"paying_{place}") for place, (kind, _, _) in enumerate(MOMENTS)]

    async def start_all() -> None:
        async with running_worker(flows, db), AsyncClient(db):
            pass
        async with AsyncClient(db) as client:
            for amount, flow in enumerate(flows):
                await client.start_flow(flow, amount)

    async def finish_all() -> None:
        options = WorkerOptions(heartbeat_interval=timedelta(seconds=0.2))
        async with running_worker(flows, db, options):
            while value(conn, "select count(*) from pgflow.runs where status = 'started'"):
                await asyncio.sleep(0.05)

    asyncio.run(start_all())
    with ExitStack() as stack:
        workers = []
        for flow, (kind, at, part) in zip(flows, MOMENTS, strict=True):
            way = stack.enter_context(proxy(postgres))
            command = [sys.executable, program, kind, flow.slug, way.url(conn.info.dbname)]
            worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
            stack.callback(worker.wait, 20)
            stack.callback(worker.kill)
            way.arm(Fault(name="pgflow transaction", part=part, at=at, do=worker.kill))
            workers.append(worker)
        assert [worker.wait(60) for worker in workers] == [-9] * len(workers)
        asyncio.run(asyncio.wait_for(finish_all(), 60))

    check(conn, len(MOMENTS))
    attempts = conn.execute(
        "select flow_slug, attempts_count from pgflow.step_tasks where step_slug = 'pay'"
    ).fetchall()
    # What was committed is not done again, though nobody lived to know of it.
    once = {slug for slug, count in attempts if count == 1}
    assert once == {
        flow.slug
        for flow, (_, at, part) in zip(flows, MOMENTS, strict=True)
        if (at, part) == (8, "answer")
    }
