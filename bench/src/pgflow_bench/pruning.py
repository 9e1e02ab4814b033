"""Deleting a long history in batches, while a worker goes on with its runs."""

import asyncio
import threading
import time
from typing import Any, Final

import psycopg

from pgflow_bench import flows
from pgflow_bench.serving import start_runs, until_done, worker_here

# What was started meanwhile stays.
_PRUNE: Final = "select pgflow.prune_data_older_than('12 hours')"
_DRAINED: Final = 10_000


def prune_beside_a_worker(url: str) -> dict[str, Any]:
    """Prune until nothing is left, and drain one-step runs before and meanwhile.

    Returns:
        {"latencies_ms": of each call, which deletes up to 1,000 runs, "runs_deleted",
        "rate_alone": runs that the worker does in a second, "rate_meanwhile": those beside it}.
    """
    alone = _drain(url)
    batches: list[tuple[float, int]] = []
    pruning = threading.Thread(target=_prune, args=(url, batches))
    pruning.start()
    meanwhile: list[float] = []
    while pruning.is_alive():
        meanwhile.append(_drain(url))
    pruning.join()
    return {
        "latencies_ms": [1000 * seconds for seconds, _ in batches],
        "runs_deleted": float(sum(deleted for _, deleted in batches)),
        "rate_alone": _DRAINED / alone,
        # The last drain outlived the pruning.
        "rate_meanwhile": _DRAINED * len(meanwhile[:-1] or meanwhile)
        / sum(meanwhile[:-1] or meanwhile),
    }  # fmt: skip


def _drain(url: str) -> float:
    """Start runs in bulk, and return how many seconds a worker of default options needs."""
    start_runs(url, flows.one, [1] * _DRAINED)
    return asyncio.run(_drained(url))


async def _drained(url: str) -> float:
    began = time.perf_counter()
    async with worker_here(url, flows.one):
        await until_done(url, flows.one)
        return time.perf_counter() - began


def _prune(url: str, batches: list[tuple[float, int]]) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        while True:
            began = time.perf_counter()
            row = conn.execute(_PRUNE).fetchone()
            if row is None or not row[0]:
                return
            batches.append((time.perf_counter() - began, row[0]))
