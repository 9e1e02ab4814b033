"""What a worker shows of itself: its log, its counts, and spans that belong to a run's starter."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import run_flow, running_worker
from prometheus_client import REGISTRY

from .samples import raising, tell_trace
from .samples import traced as traced_process

Connection = psycopg.Connection[Any]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """An SDK of OpenTelemetry that keeps finished spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # It can be set only once in a process, and these are not the only tests in it.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """An SDK of OpenTelemetry that keeps metrics."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", provider)
    yield reader
    provider.shutdown()


def flaky(slug: str) -> Flow[int]:
    """A flow whose task fails once for each attempt below its input."""
    flow = Flow(slug, input=int, max_attempts=3, base_delay=timedelta(0))
    attempts = iter(range(1, 100))

    @flow.step
    async def only(needed: int = flow.input) -> int:
        attempt = next(attempts)
        if attempt < needed:
            raise ValueError(f"not yet {attempt}")
        return attempt

    return flow


def run_in_span(flow: Flow[Any], value: Any, db: str) -> tuple[Any, str]:
    """Run a flow that is started within a span; return its output and the trace's id."""

    async def run() -> tuple[Any, str]:
        async with running_worker([flow], db), AsyncClient(db) as client:
            with trace.get_tracer("test").start_as_current_span("request") as span:
                handle = await client.start_flow(flow, value)
            return await handle.result(), f"{span.get_span_context().trace_id:032x}"

    return asyncio.run(run())


def of_attempts(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name.startswith("process ")]


def test_the_log_says_what_failed_and_when_it_is_tried_again(
    db: str, caplog: pytest.LogCaptureFixture
):
    flow = Flow("hopeless", max_attempts=2, base_delay=timedelta(0))

    @flow.step
    async def only() -> None:
        raise ValueError("never")

    with caplog.at_level(logging.INFO, "pgflow.worker"), pytest.raises(RunFailed):
        asyncio.run(run_flow(flow, None, db))

    # The second attempt comes with the very report of the first.
    about = sorted(
        [record for record in caplog.records if hasattr(record, "attempt")],
        key=lambda record: record.attempt,
    )
    assert [(record.attempt, record.levelname) for record in about] == [
        (1, "INFO"),
        (1, "INFO"),
        (2, "INFO"),
        (2, "WARNING"),
    ]
    assert all(record.step_slug == "only" and record.flow_slug == "hopeless" for record in about)
    failed, retried, failed_again, given_up = about
    assert failed.duration >= 0
    assert failed_again.duration >= 0
    assert "ValueError: never" in failed.message
    assert retried.retry_in == 0
    assert "is not tried again" in given_up.message


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_failed_attempt_shows_its_traceback_once_and_many_alike_show_one(
    db: str, caplog: pytest.LogCaptureFixture, level: int
):
    flow = Flow("alike", input=list[int], max_attempts=1)

    def fail(number: int) -> None:
        raise ValueError(f"not {number}")

    @flow.map(over=flow.input, when_exhausted="skip")
    async def each(number: int) -> None:
        fail(number)

    async def run() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            for numbers in ([1], [2], [3]):
                await (await client.start_flow(flow, numbers)).result()

    with caplog.at_level(level, "pgflow.worker"):
        asyncio.run(run())
    shown = [record for record in caplog.records if record.exc_text]
    assert len(shown) == 1
    assert "in fail" in shown[0].exc_text
    assert "ValueError: not 1" in caplog.text
    assert caplog.text.count("Traceback") == 1
    assert caplog.text.count("its traceback is like that of an earlier attempt") == 2


def test_a_handler_in_a_process_shows_its_traceback_too(db: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "pgflow.worker"), pytest.raises(RunFailed):
        asyncio.run(run_flow(raising, "whatever", db))
    [shown] = [record for record in caplog.records if record.exc_text]
    assert "in raise_it" in shown.exc_text


def test_the_log_tells_the_time_that_the_database_has_chosen(
    db: str, conn: Connection, caplog: pytest.LogCaptureFixture
):
    flow = Flow("patient", max_attempts=2, base_delay=timedelta(minutes=10))
    failed = asyncio.Event()

    @flow.step
    async def only() -> None:
        failed.set()
        raise ValueError("not now")

    async def fail() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            await client.start_flow(flow)
            await failed.wait()

    with caplog.at_level(logging.INFO, "pgflow.worker"):
        asyncio.run(fail())
    [told] = [record.retry_in for record in caplog.records if hasattr(record, "retry_in")]
    [chosen] = conn.execute(
        "select extract(epoch from retry_at - failed_at)::float from pgflow.task_attempts"
    ).fetchone() or [0]
    # Where a loaded machine is slow to ask, less time is left.
    assert 600 < told <= chosen


def test_each_completed_attempt_is_told_to_who_asks_for_it(
    db: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG, "pgflow.worker"):
        asyncio.run(run_flow(flaky("told"), 1, db))
    [record] = [each for each in caplog.records if "has completed" in each.message]
    assert (record.step_slug, record.attempt) == ("only", 1)
    assert record.duration >= 0


async def run_watched(
    flow: Flow[int], value: int, db: str, is_told: Callable[[], bool], options: WorkerOptions
) -> None:
    """Run a flow, by a worker that goes on until it has looked at its queue and told of it."""
    async with running_worker([flow], db, options), AsyncClient(db) as client:
        run = await client.start_flow(flow, value)
        await run.wait()
        async with asyncio.timeout(30):
            while not is_told():
                await asyncio.sleep(0.01)


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"pgflow_{name}", labels)


def test_prometheus_counts_what_happens(db: str):
    options = WorkerOptions(prometheus=True)
    step = {"flow_slug": "counted", "step_slug": "only"}

    def is_told() -> bool:
        return sample("queue_depth", flow_slug="counted", state="ready") is not None

    asyncio.run(run_watched(flaky("counted"), 3, db, is_told, options))

    assert sample("tasks_claimed_total", **step) == 3
    assert sample("tasks_completed_total", **step) == 1
    assert sample("tasks_retried_total", **step) == 2
    assert sample("tasks_failed_total", **step) is None
    assert sample("task_duration_seconds_count", **step, outcome="failed") == 2
    assert sample("task_duration_seconds_count", **step, outcome="completed") == 1
    assert sample("report_size_count") is not None
    assert sample("queue_oldest_ready_seconds", flow_slug="counted") is not None
    assert sample("workers", state="living") == 1
    assert sample("workers", state="lost") == 0
    assert sample("transactions_oldest_seconds") is not None
    assert sample("queue_dead_rows") is not None


def test_a_failure_for_good_is_counted_apart(db: str):
    with pytest.raises(RunFailed):
        asyncio.run(run_flow(flaky("doomed"), 9, db, options=WorkerOptions(prometheus=True)))
    step = {"flow_slug": "doomed", "step_slug": "only"}
    assert sample("tasks_failed_total", **step) == 1
    assert sample("tasks_retried_total", **step) == 2


def test_opentelemetry_gets_the_counts_of_a_process_that_has_set_it_up(
    db: str, meter: InMemoryMetricReader
):
    def told() -> dict[str, Any]:
        data = meter.get_metrics_data()
        scopes = data.resource_metrics[0].scope_metrics if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    asyncio.run(
        run_watched(
            flaky("metered"), 2, db, lambda: "pgflow.queue.depth" in told(), WorkerOptions()
        )
    )

    found = told()
    assert {"pgflow.tasks.claimed", "pgflow.tasks.held"} <= set(found)
    [completed] = found["pgflow.tasks.completed"].data.data_points
    assert completed.value == 1
    assert completed.attributes == {"pgflow.flow_slug": "metered", "pgflow.step_slug": "only"}
    durations = found["pgflow.task.duration"].data.data_points
    assert {point.attributes["pgflow.outcome"]: point.count for point in durations} == {
        "failed": 1,
        "completed": 1,
    }


def test_spans_of_attempts_are_children_of_the_span_that_started_the_run(
    db: str, spans: InMemorySpanExporter
):
    flow = Flow("traced", input=list[int])

    @flow.map(over=flow.input)
    async def on_the_loop(number: int) -> str:
        return f"{trace.get_current_span().get_span_context().trace_id:032x}"

    @flow.step
    def in_a_thread(texts: list[str] = on_the_loop.output) -> str:
        with trace.get_tracer("handler").start_as_current_span("inner") as span:
            return f"{span.get_span_context().trace_id:032x}"

    output, trace_id = run_in_span(flow, [1, 2, 3], db)

    assert output == {"in_a_thread": trace_id}
    attempts = of_attempts(spans)
    assert len(attempts) == 4
    by_name = {span.name: span for span in spans.get_finished_spans()}
    request, inner = by_name["request"], by_name["inner"]
    assert all(span.parent.span_id == request.context.span_id for span in attempts)
    assert inner.parent.span_id == by_name["process traced.in_a_thread"].context.span_id
    attributes = by_name["process traced.in_a_thread"].attributes
    assert attributes["messaging.system"] == "pgflow"
    assert attributes["messaging.destination.name"] == "traced"
    assert attributes["pgflow.step_slug"] == "in_a_thread"
    assert attributes["pgflow.attempt"] == 1


def test_a_handler_in_a_process_belongs_to_the_trace(db: str, spans: InMemorySpanExporter):
    output, trace_id = run_in_span(traced_process, None, db)
    assert output == {tell_trace.slug: trace_id}


def test_a_failed_attempt_has_a_span_with_its_error(db: str, spans: InMemorySpanExporter):
    run_in_span(flaky("erring"), 2, db)

    failed, completed = of_attempts(spans)
    assert failed.attributes["error.type"] == "ValueError"
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert [event.name for event in failed.events] == ["exception"]
    assert completed.status.status_code is trace.StatusCode.UNSET
    assert completed.attributes["pgflow.attempt"] == 2


def test_a_run_that_was_started_outside_of_any_trace_has_spans_of_its_own(
    db: str, spans: InMemorySpanExporter
):
    flow = flaky("lonely")

    async def run() -> None:
        with trace.get_tracer("test").start_as_current_span("of the worker, not of the run"):
            async with running_worker([flow], db), AsyncClient(db) as client:
                with trace.use_span(trace.INVALID_SPAN):
                    handle = await client.start_flow(flow, 1)
                await handle.result()

    asyncio.run(run())
    [span] = of_attempts(spans)
    assert span.parent is None


def test_traces_of_many_tasks_are_read_together(
    db: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
):
    import pgflow_worker._tracing as tracing

    reads: list[int] = []
    read = tracing.get_trace_contexts

    async def counting(conn: Any, run_ids: list[str]) -> dict[str, str]:
        reads.append(len(run_ids))
        return await read(conn, run_ids)

    monkeypatch.setattr(tracing, "get_trace_contexts", counting)
    flow = flaky("many")

    async def run() -> None:
        async with AsyncClient(db) as client:
            async with running_worker([flow], db):
                pass
            handles = await client.start_flows(flow, [1] * 50)
            async with running_worker([flow], db):
                for handle in handles:
                    await handle.result()

    asyncio.run(run())
    assert reads == [50]


def test_a_task_whose_trace_cannot_be_read_runs_without_it(
    db: str, conn: Connection, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
):
    conn.execute("drop function pgflow.get_trace_contexts")
    output, _ = run_in_span(flaky("untraced"), 1, db)
    assert output == {"only": 1}
    assert "traces of 1 runs cannot be read" in caplog.text
    assert of_attempts(spans)[0].parent is None


def test_without_an_sdk_nothing_is_read_for_it(
    db: str, conn: Connection, caplog: pytest.LogCaptureFixture
):
    for name in ("get_trace_contexts", "get_queue_depth", "get_alert_figures"):
        conn.execute(f"drop function pgflow.{name}".encode())
    asyncio.run(run_flow(flaky("unseen"), 1, db))
    assert caplog.text == ""


def test_what_cannot_be_told_of_failures_stops_no_worker(
    db: str, conn: Connection, caplog: pytest.LogCaptureFixture
):
    conn.execute("drop function pgflow.find_retries")
    with caplog.at_level(logging.INFO, "pgflow.worker"):
        asyncio.run(run_flow(flaky("untold"), 2, db))
    assert "failures cannot be read" in caplog.text


def test_without_the_extras_workers_serve_and_say_what_is_missing():
    program = """
import sys
sys.modules["opentelemetry"] = sys.modules["prometheus_client"] = None
from pgflow_client import Client
from pgflow_dsl import job
from pgflow_worker import ExtraMissing, Worker, WorkerOptions

@job
def nothing(value: int) -> None: ...

Worker([nothing], "")
try:
    Worker([nothing], "", WorkerOptions(prometheus=True))
except ExtraMissing as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pgflow-worker[prometheus]" in done.stdout
