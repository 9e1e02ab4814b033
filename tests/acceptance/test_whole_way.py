"""The whole way of a user: define, serve in a process, start from Python and from SQL, watch."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, Client, MapProgressed, RunEnded, RunFailed, StepSkipped

from tests.support import until

PATIENCE = timedelta(seconds=60)


@pytest.fixture
def worker(shop: Any, tmp_path: Path, db: str, conn: psycopg.Connection[Any]) -> Iterator[Any]:
    """`pgflow worker shop` in a process of its own."""
    command = [sys.executable, "-m", "pgflow_cli", "worker", "shop", "--database-url", db]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"})
    until(lambda: conn.execute("select from pgflow.workers").fetchone() is not None, PATIENCE)
    yield process
    process.terminate()
    assert process.wait(30) == 0


def test_a_run_goes_from_typed_input_to_typed_output(shop: Any, worker: Any, db: str):
    async def go() -> list[Any]:
        async with AsyncClient(db) as client:
            run = await client.start_flow(
                shop.order, shop.Order(number=1, items=["hat", "shy", "shoe"], gift=True)
            )
            events = [event async for event in run.events()]
            parcels = await run.output_of(shop.pack)
            assert [type(parcel).__name__ for parcel in parcels] == ["Parcel"] * 3
            assert await run.output_of(shop.ship) == "13 kg, 3 bows"
            progress = await run.progress()
            failed = {step.step_slug: step.failed_attempts for step in progress.steps}
            assert failed == {"reserve": 0, "pack": 1, "wrap": 0, "ship": 0}
            return events

    events = asyncio.run(go())

    assert isinstance(events[-1], RunEnded)
    assert events[-1].status == "completed"
    progressed = [event for event in events if isinstance(event, MapProgressed)]
    assert [event.done for event in progressed] == sorted(event.done for event in progressed)


def test_sql_starts_a_run_in_a_transaction_with_its_own_data(
    shop: Any, worker: Any, db: str, conn: psycopg.Connection[Any]
):
    conn.execute("create table orders (number int primary key)")
    start = "select run_id from pgflow.start_flow('order', %s::jsonb)"

    def place(number: int) -> str:
        return json.dumps({"number": number, "items": ["a"], "gift": False})

    with psycopg.connect(db) as mine:
        mine.execute("insert into orders values (1)")
        mine.execute(start, (place(1),))
        mine.rollback()
    with psycopg.connect(db) as mine:
        mine.execute("insert into orders values (2)")
        row = mine.execute(start, (place(2),)).fetchone()
    assert row is not None

    with Client(db) as client:
        run = client.get_run(row[0], shop.order)
        events = list(run.events())
        assert run.output_of(shop.ship) == "3 kg, plain"
    assert [event.step_slug for event in events if isinstance(event, StepSkipped)] == ["wrap"]
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (1,)
    assert conn.execute("select number from orders").fetchall() == [(2,)]


def test_a_failure_names_the_step_and_the_reason(shop: Any, worker: Any, db: str):
    with Client(db) as client:
        run = client.start_flow(shop.order, shop.Order(number=1, items=["hat", "never"]))
        with pytest.raises(RunFailed) as raised:
            run.wait(PATIENCE)
    assert raised.value.step_slug == "pack"
    assert "out of stock" in str(raised.value)


def test_a_hundred_runs_at_once_all_come_to_their_end(
    shop: Any, worker: Any, db: str, conn: psycopg.Connection[Any]
):
    with Client(db) as client:
        orders = [shop.Order(number=n, items=["x"] * (n % 7), gift=n % 2 == 0) for n in range(100)]
        client.start_flows(shop.order, orders)
    until(
        lambda: (
            conn.execute("select count(*) from pgflow.runs where status = 'completed'").fetchone()
            == (100,)
        ),
        PATIENCE,
    )
    live = "select count(*) from pgflow.step_tasks where status <> 'completed'"
    assert conn.execute(live).fetchone() == (0,)
