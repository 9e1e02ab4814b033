"""Looking at the work: what waits, and whether anybody does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgflow_client.overview import read_workers
from pgflow_client.upkeep import read_queue_depths, read_worker_loads
from pgflow_client.versions import name_of, read_flow_versions

from pgflow_cli.doctor.finding import bad, good, note, warning
from pgflow_cli.retired import serving_retired

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pgflow_client.upkeep import QueueDepth
    from psycopg import Connection

    from pgflow_cli.doctor.finding import Finding

__all__ = ["examine_work"]


def examine_work(conn: Connection[Any]) -> Iterator[Finding]:
    """Look at workers and queues."""
    workers = read_workers(conn)
    loads = read_worker_loads(conn, page=1)
    alive = [worker for worker in workers if worker.state == "alive"]
    served = {slug for worker in alive for slug in worker.flow_slugs}
    lost = [worker for worker in workers if worker.state == "lost"]
    for worker in lost:
        held = loads[worker.worker_id].count if worker.worker_id in loads else 0
        says = f"{worker.place} was lost, with {held} tasks"
        if held and not alive:
            yield bad("workers", says, "run a worker: any other takes its tasks over")
        elif held:
            yield warning("workers", says, "others take its tasks over within seconds; look again")
        else:
            yield note("workers", f"{says}: others have taken over what it held")
    for worker, version in serving_retired(workers, read_flow_versions(conn)):
        name, number = version.flow, version.version
        yield warning(
            "workers",
            f"{worker.place} serves version {number} of {name}, which is retired",
            "run the code of a version that is in use, or bring this one back: "
            f"`pgflow flows use {name} {number}`",
        )
    waiting = [each for each in read_queue_depths(conn) if each.ready or each.delayed]
    for each in waiting:
        if each.flow_slug not in served:
            yield _unserved(each, served)
    if not workers:
        yield note("workers", "none runs", "run one: `pgflow worker MODULE:FLOW`")
    elif not lost:
        count = len(alive)
        yield good("workers", f"{count} {'is' if count == 1 else 'are'} alive")
    if all(each.flow_slug in served for each in waiting):
        total = sum(each.ready for each in waiting)
        yield good("queue", f"{total:,} tasks are ready, and each flow that waits is served")


def _unserved(depth: QueueDepth, served: Collection[str]) -> Finding:
    """Tell of tasks that nobody serves: of which version, where another one is served."""
    name, _, version = depth.flow_slug.partition("@")
    of, ask = name, "one that serves it: `pgflow worker MODULE:FLOW`"
    if version or any(name_of(slug) == name for slug in served):
        of = f"version {version or 1} of {name}"
        ask = "one with the code of that version: `pgflow worker MODULE:FLOW`"
    count = depth.ready + depth.delayed
    waits = "task of {} waits" if count == 1 else "tasks of {} wait"
    return bad("queue", f"{count:,} {waits.format(of)} for a worker", f"run {ask}")
