"""DBOS: a queue polled every 100 ms for drains, direct calls for steps and latency."""

import multiprocessing
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dbos import DBOS

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "pgflow_bench"))
import protocol

WORKER_CONCURRENCY = 200
POLL_SECONDS = 0.1
THREADS = 4

arrivals: dict[str, float] = {}
ends: list[float] = []


@DBOS.step()
def one(value: int) -> int:
    """Pass the value on."""
    return value


@DBOS.workflow()
def nothing(value: int) -> int:
    """Return at once, as a job without steps."""
    ends.append(time.perf_counter())
    return value


@DBOS.workflow()
def chain(value: int) -> int:
    """Run five steps, one after the other."""
    for _ in range(5):
        value = one(value)
    return value


@DBOS.workflow()
def arrive(key: str) -> None:
    """Note when the handler was reached."""
    arrivals[key] = time.perf_counter()


def _launch(url: str, queues: list[str] | None = None) -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url.replace("postgresql://", "postgresql+psycopg://"),
            "sys_db_pool_size": 20,
            "log_level": "ERROR",
            "run_admin_server": False,
            "application_version": "bench",
            "executor_id": "bench",
        }
    )
    if queues is not None:
        DBOS.listen_queues(queues)
    DBOS.launch()


def _fill(url: str, count: int) -> None:
    _launch(url, ["another"])
    queue = DBOS.register_queue(
        "bench", worker_concurrency=WORKER_CONCURRENCY, polling_interval_sec=POLL_SECONDS
    )
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda number: queue.enqueue(nothing, number), range(count)))


def drain(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain workflows that do nothing from a queue, from the first that runs to the last."""
    filling = multiprocessing.get_context("fork").Process(target=_fill, args=(url, count))
    filling.start()
    filling.join()
    yield
    _launch(url, ["bench"])
    while len(ends) < count:
        time.sleep(0.005)
    return {"seconds": max(ends) - min(ends), "units": count - 1}


def chains(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Run chains of five steps, called directly from four threads."""
    _launch(url)
    yield
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(chain, range(count)))
    return {"seconds": time.perf_counter() - began, "units": 5 * count}


def pickup(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """From a direct call to inside the workflow."""
    _launch(url)
    yield
    latencies: list[float] = []
    for number in range(count):
        time.sleep(0.03)
        began = time.perf_counter()
        DBOS.start_workflow(arrive, str(number)).get_result()
        latencies.append(1000 * (arrivals[str(number)] - began))
    return {"latencies_ms": latencies}


def chain_latency(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """From a direct call of a chain of five to its result."""
    _launch(url)
    yield
    latencies: list[float] = []
    for number in range(count):
        time.sleep(0.03)
        began = time.perf_counter()
        chain(number)
        latencies.append(1000 * (time.perf_counter() - began))
    return {"latencies_ms": latencies}


protocol.main({"W1": drain, "W2": chains, "W4": pickup, "W4-chain": chain_latency})
