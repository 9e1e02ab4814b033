"""Heavy steps on a Dask cluster, which serves as an executor like any other."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_worker.testing import run_flow, running_worker

from tests.clusters import flows

distributed = pytest.importorskip("distributed", reason="`uv run nox -s dask` installs it")

# Its warnings are its own.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of a cluster of two processes."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def made(client: Any) -> Iterator[list[Executor]]:
    """The executors that were made."""
    executors: list[Executor] = []

    def make() -> Executor:
        executors.append(client.get_executor())
        return executors[-1]

    flows.makers.append(make)
    yield executors
    flows.makers.remove(make)


def test_handlers_run_on_the_cluster(db: str, made: list[Executor]):
    result = asyncio.run(run_flow(flows.heavy, 20, db))

    assert [row[:3] for row in result["square"]] == [[n * n, n, 20] for n in range(20)]
    assert os.getpid() not in {row[3] for row in result["square"]}
    # Made once, and ended with the worker.
    assert len(made) == 1
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[0].submit(int)


@pytest.mark.parametrize(("kind", "attempts"), [("final", 1), ("usual", 3)])
def test_what_a_handler_raises_there_is_told_as_anywhere(
    db: str, conn: psycopg.Connection[Any], made: list[Executor], kind: str, attempts: int
):
    with pytest.raises(RunFailed, match="no use" if kind == "final" else "ValueError: usual"):
        asyncio.run(run_flow(flows.failing, kind, db))
    failed = conn.execute("select traceback from pgflow.task_attempts").fetchall()
    assert len(failed) == attempts
    assert "in fail" in failed[0][0]


def test_a_process_of_the_cluster_that_dies_is_no_dead_worker(
    db: str, made: list[Executor], tmp_path: Path
):
    # The cluster runs it again by itself, or says that it could not.
    result = asyncio.run(run_flow(flows.dying, str(tmp_path / "died"), db))
    assert result["die_once"] >= 1
    assert asyncio.run(run_flow(flows.heavy, 2, db))["square"][1][0] == 1


def test_a_call_that_is_past_its_timeout_is_given_up(
    db: str, made: list[Executor], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._executors.LONGEST_WAIT", 0.5)

    async def hang() -> Any:
        async with running_worker([flows.endless, flows.heavy], db), AsyncClient(db) as client:
            with pytest.raises(RunFailed, match="timeout of 1 s"):
                await (await client.start_flow(flows.endless, 5)).result()
            # The worker goes on.
            return await (await client.start_flow(flows.heavy, 1)).result()

    assert asyncio.run(hang())["square"][0][:3] == [0, 0, 1]
