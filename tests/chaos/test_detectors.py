"""Each detector of the chaos suite fires when what it is for has happened."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient
from pgflow_worker.testing import running_worker

from tests.chaos import flows, inputs
from tests.chaos.inputs import Start
from tests.chaos.judge import Verdict, judge
from tests.chaos.ledger import FOLDER_VARIABLE, executions
from tests.chaos.world import WATCH

PATIENCE = timedelta(seconds=60)
STARTS = [
    Start(flow=flows.single, input=3, leaf="only", value=3),
    Start(flow=flows.chain, input=1, leaf="link_5", value=6),
    inputs.fan(5),
    inputs.choice(7),
    Start(flow=flows.pay, input=1, leaf="book", value=2),
    Start(flow=flows.flaky, input=1, leaf="anyway", value=2),
]

TAMPERINGS = [
    ("doubled", "insert into chaos.effects select * from chaos.effects where step_slug = 'book'"),
    ("doubled", "delete from chaos.effects where step_slug = 'charge'"),
    ("doubled", "update chaos.effects set token = 'of another' where step_slug = 'book'"),
    (
        "lost",
        "delete from pgflow.runs where flow_slug = 'single'",
    ),
    (
        "lost",
        "update pgflow.runs set output = jsonb_set(output, '{total,value}', '31')"
        " where flow_slug = 'fan'",
    ),
    (
        "lost",
        "update pgflow.runs set status = 'failed', completed_at = null, failed_at = now(),"
        " output = null where flow_slug = 'single'",
    ),
    (
        "lost",
        "update pgflow.step_tasks set output = jsonb_set(output, '{token}', '\"nobody\"')"
        " where step_slug = 'only'",
    ),
    (
        "stuck",
        "update pgflow.runs set status = 'started', completed_at = null, output = null"
        " where flow_slug = 'single'",
    ),
    (
        "twice",
        "insert into chaos.log (kind, run_id, step_slug, task_index, was, became)"
        " select kind, run_id, step_slug, task_index, was, became from chaos.log"
        " where kind = 'task' and step_slug = 'only' and became = 'completed'",
    ),
    (
        "twice",
        "update pgflow.step_tasks set status = 'started', completed_at = null, output = null"
        " where step_slug = 'only'",
    ),
    (
        "stale",
        "update pgflow.step_tasks set attempts_count = attempts_count + 1 where step_slug = 'only'",
    ),
    (
        "stale",
        "update pgflow.step_tasks as task set output = other.output"
        " from pgflow.step_tasks as other"
        " where task.step_slug = 'link_2' and other.step_slug = 'link_1'",
    ),
    (
        "stale",
        "update pgflow.step_tasks set output = jsonb_set(output, '{of,0}', '\"unrecorded\"')"
        " where step_slug = 'link_3'",
    ),
    (
        "stale",
        "update pgflow.task_attempts set attempt = attempt + 1 where step_slug = 'stumble'",
    ),
    (
        "broken",
        "update pgflow.step_states set remaining_tasks = remaining_tasks + 1,"
        " status = 'started', completed_at = null, output = null where step_slug = 'only'",
    ),
]

Judge = Callable[[], Verdict]


@pytest.fixture
def verdict(
    tmp_path: Path, db: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> Judge:
    """A few runs that went well, and what the judge says of them."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    conn.execute(WATCH.read_bytes())

    async def serve() -> dict[Any, Start]:
        served = {start.flow.slug: start.flow for start in STARTS}
        async with running_worker(served.values(), db), AsyncClient(db) as client:
            runs = [await client.start_flow(start.flow, start.input) for start in STARTS]
            for run in runs:
                await run.wait(PATIENCE)
            return {run.run_id: start for run, start in zip(runs, STARTS, strict=True)}

    started = asyncio.run(serve())
    done = list(executions(tmp_path))
    return lambda: judge(conn, started, done)


def test_what_went_wrong_is_found(verdict: Judge, conn: psycopg.Connection[Any]):
    assert verdict().started == len(STARTS)
    assert verdict().faults() == {}
    for what, tampering in TAMPERINGS:
        with conn.transaction(force_rollback=True):
            assert conn.execute(tampering.encode()).rowcount > 0
            assert what in verdict().faults(), tampering
    assert verdict().faults() == {}
