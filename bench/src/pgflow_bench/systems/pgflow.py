"""pgflow itself: one worker in this process unless said, with default options."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions

from pgflow_bench import cancelling, flows, histories, latencies, shapes, shards, streams
from pgflow_bench.draining import Steps, drain_here, drained, drained_elsewhere
from pgflow_bench.pruning import prune_beside_a_worker
from pgflow_bench.serving import (
    install,
    settle,
    start_runs,
    workers_elsewhere,
)
from pgflow_bench.soak import soak

sys.path.insert(0, str(Path(__file__).parents[1]))
import protocol


def singles(url: str, count: int) -> Steps:
    """Drain one-step runs."""
    install(url, flows.one)
    return (yield from drained(url, flows.one, [1] * count, count))


def chains(url: str, count: int) -> Steps:
    """Drain chains of five steps."""
    install(url, flows.chain)
    return (yield from drained(url, flows.chain, [1] * count, 5 * count))


def many_at_once(flow: Flow[Any], steps: int) -> protocol.Workload:
    """Return a workload: drain runs with twice the tasks at once that are the default."""

    def run(url: str, count: int) -> Steps:
        install(url, flow)
        options = WorkerOptions(concurrency=400)
        return (yield from drained(url, flow, [1] * count, steps * count, options))

    return run


def one_map(url: str, count: int) -> Steps:
    """Run a map of so many elements, then gather them."""
    return (yield from map_of_workers(1)(url, count))


def map_of_workers(workers: int) -> protocol.Workload:
    """Return a workload: one map on so many worker processes."""

    def run(url: str, count: int) -> Steps:
        install(url, flows.fan)
        before = [list(range(500))] * workers
        inputs = [list(range(count))]
        return (yield from drained_elsewhere(url, flows.fan, workers, before, inputs, count))

    return run


def singles_of_workers(workers: int) -> protocol.Workload:
    """Return a workload: one-step runs on so many worker processes."""

    def run(url: str, count: int) -> Steps:
        install(url, flows.one)
        before, inputs = [1] * 500 * workers, [1] * count
        return (yield from drained_elsewhere(url, flows.one, workers, before, inputs, count))

    return run


def io_bound(url: str, count: int) -> Steps:
    """Drain handlers that wait for 10 ms, a thousand at a time."""
    install(url, flows.waiting)
    options = WorkerOptions(concurrency=1000)
    return (yield from drained(url, flows.waiting, [1] * count, count, options))


def cpu_bound(url: str, count: int) -> Steps:
    """Drain handlers that keep a CPU busy for 5 ms, in processes."""
    install(url, flows.computing)
    return (yield from drained(url, flows.computing, [1] * count, count))


def beside_finished(url: str, count: int) -> Steps:
    """Drain one-step runs in a database with a million finished ones."""
    install(url, flows.one)
    histories.add_finished(url, flows.one, 1_000_000)
    return (yield from drained(url, flows.one, [1] * count, count))


def beside_queued(url: str, count: int) -> Steps:
    """Drain one-step runs while a million of another flow are queued."""
    install(url, flows.one, flows.chain)
    start_runs(url, flows.chain, [1] * 1_000_000)
    return (yield from drained(url, flows.one, [1] * count, count))


def beside_idle_transaction(url: str, count: int) -> Steps:
    """Drain one-step runs over and over beside an old snapshot; the last drain counts."""
    install(url, flows.one)
    with psycopg.connect(url) as idle:
        idle.execute("set transaction isolation level repeatable read")
        idle.execute("select count(*) from pgflow.runs")
        end = time.monotonic() + histories.idle_seconds()
        while time.monotonic() < end:
            start_runs(url, flows.one, [1] * count)
            asyncio.run(drain_here(url, flows.one, None))
        return (yield from drained(url, flows.one, [1] * count, count))


def bulk_start(url: str, count: int) -> Steps:
    """Start one-step runs, a thousand a call."""
    install(url, flows.one)
    yield
    began = time.perf_counter()
    start_runs(url, flows.one, [1] * count)
    return {"seconds": time.perf_counter() - began, "units": count}


def start_each(connections: int) -> protocol.Workload:
    """Return a workload: one run a call, from so many connections."""

    async def start(url: str, share: int) -> None:
        async with await psycopg.AsyncConnection.connect(
            url, autocommit=True, prepare_threshold=0
        ) as conn:
            for _ in range(share):
                await conn.execute("select run_id from pgflow.start_flow('bench_one', '1')")

    async def all_of_them(url: str, count: int) -> float:
        began = time.perf_counter()
        await asyncio.gather(*(start(url, count // connections) for _ in range(connections)))
        return time.perf_counter() - began

    def run(url: str, count: int) -> Steps:
        install(url, flows.one)
        yield
        seconds = asyncio.run(all_of_them(url, count))
        return {"seconds": seconds, "units": count // connections * connections}

    return run


def pickup(url: str, count: int) -> Steps:
    """From before a start to inside the handler, idle."""
    install(url, flows.pickup)
    yield
    return {"latencies_ms": asyncio.run(latencies.pickup_ms(url, count))}


def pickup_apart(url: str, count: int) -> Steps:
    """From before a start to inside the handler, in another process, idle."""
    install(url, flows.pickup)
    yield
    with workers_elsewhere(url, flows.pickup, 1):
        return {"latencies_ms": asyncio.run(latencies.picked_up_ms(url, count))}


def chain_latency(url: str, count: int) -> Steps:
    """From the start of a chain of five to the sight of its end, idle."""
    install(url, flows.chain)
    yield
    return {"latencies_ms": asyncio.run(latencies.ended_ms(url, flows.chain, "1", count))}


def chain_apart(url: str, count: int) -> Steps:
    """From the start of a chain of five, served by another process, to the sight of its end."""
    install(url, flows.chain)
    yield
    with workers_elsewhere(url, flows.chain, 1):
        return {"latencies_ms": asyncio.run(latencies.seen_ended_ms(url, flows.chain, "1", count))}


def fan_latency(url: str, count: int) -> Steps:
    """From the start of a fan-out of ten to the sight of its end, idle."""
    install(url, flows.fan_out)
    yield
    return {"latencies_ms": asyncio.run(latencies.ended_ms(url, flows.fan_out, "10", count))}


def event_delivery(url: str, count: int) -> Steps:
    """From the commit of a change to its event in a watcher's hands, idle."""
    install(url, flows.one)
    yield
    return {"latencies_ms": asyncio.run(latencies.delivered_ms(url, count))}


def steady_load(url: str, count: int) -> Steps:
    """Offer 100 runs a second for so many seconds, with 20 watchers."""
    install(url, flows.chain)
    yield
    return asyncio.run(soak(url, count))


def payload_chain(size: int) -> protocol.Workload:
    """Return a workload: texts of so many bytes through a chain of three; units are bytes."""

    def run(url: str, count: int) -> Steps:
        install(url, flows.payload)
        # Each step stores it once, the run's input and its output besides.
        inputs = ["x" * size] * count
        return (yield from drained(url, flows.payload, inputs, count * size))

    return run


def payload_map(size: int) -> protocol.Workload:
    """Return a workload: an array of texts of so many bytes through a map; units are bytes."""

    def run(url: str, count: int) -> Steps:
        install(url, flows.payload_map)
        inputs = [["x" * size] * count]
        return (yield from drained(url, flows.payload_map, inputs, count * size))

    return run


def emits(flow: Flow[list[int]], handlers: int) -> protocol.Workload:
    """Return a workload: items of so many handlers at once, until all of them are stored."""

    def run(url: str, count: int) -> Steps:
        install(url, flow)
        return (yield from drained(url, flow, [[count // handlers] * handlers], count))

    return run


def item_delivery(url: str, count: int) -> Steps:
    """From before an emit to its reader, idle."""
    install(url, streams.ticking)
    yield
    return {"latencies_ms": asyncio.run(streams.delivery_ms(url, count))}


def silent_singles(url: str, count: int) -> Steps:
    """Drain one-step runs whose handlers could emit."""
    install(url, streams.silent)
    return (yield from drained(url, streams.silent, [1] * count, count))


def shape(name: str) -> protocol.Workload:
    """Return a workload: runs of a deep or wide flow of so many steps, without a worker."""
    steps_of, text, options, repeats = shapes.SHAPES[name]

    def run(url: str, count: int) -> Steps:
        shapes.define(url, steps_of(count), **options)
        with shapes.ready(url, text) as run_to_its_end:
            yield
            began = time.perf_counter()
            for _ in range(repeats):
                run_to_its_end()
            return {"seconds": time.perf_counter() - began, "units": count * repeats}

    return run


def start_in_a_crowd(*, same_flow: bool) -> protocol.Workload:
    """Return a workload: starts of one-step runs while a map of 100,000 elements is queued."""

    def run(url: str, count: int) -> Steps:
        install(url, flows.crowd, flows.pickup)
        start_runs(url, flows.crowd, [[0.0] * 100_000])
        settle(url)
        yield
        return latencies.crowded_ms(url, count, same_flow=same_flow)

    return run


def cancellation(url: str, count: int) -> Steps:
    """From the commit of a cancellation to inside the handler of its run."""
    install(url, cancelling.endless)
    yield
    return {"latencies_ms": asyncio.run(cancelling.told_ms(url, count))}


def prune(url: str, count: int) -> Steps:
    """Delete so many finished runs in batches, beside a worker."""
    install(url, flows.one)
    histories.add_finished(url, flows.one, count)
    settle(url)
    yield
    return prune_beside_a_worker(url)


def starts_over(databases: int) -> protocol.Workload:
    """Return a workload: one run a call, over so many databases of one server."""

    def run(url: str, count: int) -> Steps:
        with shards.databases(url, databases) as urls:
            yield
            return {"seconds": shards.started(urls, count), "units": count}

    return run


def drain_over(databases: int, workers: int) -> protocol.Workload:
    """Return a workload: one-step runs in so many databases, each with so many workers."""

    def run(url: str, count: int) -> Steps:
        with shards.databases(url, databases) as urls:
            shards.fill(urls, count)
            yield
            return {"seconds": shards.drained(urls, workers), "units": count}

    return run


if __name__ == "__main__":
    protocol.main(
        {
            "W1": singles,
            "W1-tuned": many_at_once(flows.one, 1),
            "W2": chains,
            "W2-tuned": many_at_once(flows.chain, 5),
            "W3": one_map,
            **{f"W3-workers-{n}": map_of_workers(n) for n in (1, 4)},
            "W4": pickup,
            "W4-chain": chain_latency,
            "W4-apart": pickup_apart,
            "W4-chain-apart": chain_apart,
            "W4-fan": fan_latency,
            "W4-event": event_delivery,
            "W5-finished": beside_finished,
            "W5-queued": beside_queued,
            "W5-idle": beside_idle_transaction,
            **{f"W6-{connections}": start_each(connections) for connections in (1, 8, 32)},
            "W6-bulk": bulk_start,
            **{f"W7-{workers}": singles_of_workers(workers) for workers in (1, 2, 4, 8)},
            "W7-io": io_bound,
            "W7-cpu": cpu_bound,
            "W8": steady_load,
            **{f"W9-chain-{size}": payload_chain(size) for size in (1_000, 100_000, 1_000_000)},
            "W10-1": emits(streams.emitting, 1),
            "W10-100": emits(streams.emitting, 100),
            "W10-threads": emits(streams.in_threads, 8),
            "W11": item_delivery,
            "W12": silent_singles,
            **{f"W13-{name}": shape(name) for name in shapes.SHAPES},
            "W14-same": start_in_a_crowd(same_flow=True),
            "W14-other": start_in_a_crowd(same_flow=False),
            "W15": prune,
            "W16": cancellation,
            **{f"W17-starts-{n}": starts_over(n) for n in (1, 2, 4)},
            "W17-drain-1": drain_over(1, 2),
            "W17-drain-2": drain_over(2, 1),
            **{f"W9-map-{size}": payload_map(size) for size in (1_000, 100_000, 1_000_000)},
        }
    )
