"""What a worker does with the tasks of flows: runs handlers, reports, retries, stops in time."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, FinalError, Flow, RetryAfter
from pgflow_worker import Worker, WorkerOptions

PATIENCE = timedelta(seconds=30)


async def run(flow: Flow[Any], value: Any, db: str, *more: Flow[Any], **options: Any) -> Any:
    """Run a flow on a worker of its own and return the handle of the ended run."""
    worker = Worker([flow, *more], db, WorkerOptions(**options))
    serving = asyncio.create_task(worker.run())
    try:
        ready = asyncio.create_task(worker.wait_ready())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        async with AsyncClient(db) as client:
            handle = await client.start_flow(flow, value)
            await handle.wait(PATIENCE)
            return await handle.result()
    finally:
        worker.drain()
        await asyncio.wait({serving}, timeout=30)


def failure(flow: Flow[Any], value: Any, db: str, **options: Any) -> RunFailed:
    with pytest.raises(RunFailed) as raised:
        asyncio.run(run(flow, value, db, **options))
    return raised.value


def test_steps_and_maps_pass_their_outputs_on(db: str):
    flow = Flow("numbers", input=list[int])

    @flow.map(over=flow.input)
    async def double(number: int) -> int:
        return 2 * number

    @flow.step
    def total(numbers: list[int] = double.output) -> int:
        return sum(numbers)

    @flow.map(over=double.output)
    async def share(number: int, whole: int = total.output, asked: list[int] = flow.input) -> str:
        return f"{number} of {whole}, asked for {len(asked)}"

    result = asyncio.run(run(flow, [1, 2, 3], db))

    assert result == {
        "share": ["2 of 12, asked for 3", "4 of 12, asked for 3", "6 of 12, asked for 3"]
    }


@pytest.mark.parametrize("value", [0, False, "", None, [], {}])
def test_outputs_that_count_as_false_are_outputs(db: str, value: Any):
    flow = Flow("falsy")

    @flow.step
    async def only() -> Any:
        return value

    assert asyncio.run(run(flow, None, db)) == {"only": value}


def test_a_handler_sees_its_task(db: str):
    flow = Flow("context", input=list[str])

    @flow.map(over=flow.input)
    async def look(word: str, ctx: Context) -> list[Any]:
        assert ctx.time_left() <= timedelta(seconds=60)
        return [word, ctx.flow_slug, ctx.step_slug, ctx.task_index, ctx.attempt]

    assert asyncio.run(run(flow, ["a", "b"], db)) == {
        "look": [["a", "context", "look", 0, 1], ["b", "context", "look", 1, 1]]
    }


def test_a_failed_attempt_is_tried_again(db: str, conn: psycopg.Connection):
    flow = Flow("flaky", max_attempts=3, base_delay=timedelta(0))

    @flow.step
    async def only(ctx: Context) -> int:
        if ctx.attempt < 3:
            raise ValueError(f"attempt {ctx.attempt}")
        return ctx.attempt

    assert asyncio.run(run(flow, None, db)) == {"only": 3}
    errors = conn.execute(
        "select attempt, error_message from pgflow.task_attempts order by attempt"
    ).fetchall()
    assert errors == [(1, "ValueError: attempt 1"), (2, "ValueError: attempt 2")]


def test_an_exhausted_step_fails_its_run_with_the_last_error(db: str):
    flow = Flow("broken", max_attempts=2, base_delay=timedelta(0))

    @flow.step
    def only(ctx: Context) -> None:
        raise KeyError(ctx.attempt)

    error = failure(flow, None, db)
    assert error.step_slug == "only"
    assert "KeyError: 2" in str(error)


def test_a_final_error_is_not_tried_again(db: str, conn: psycopg.Connection):
    flow = Flow("final", max_attempts=5)

    @flow.step
    async def only() -> None:
        raise FinalError("no use")

    assert "no use" in str(failure(flow, None, db))
    assert conn.execute("select count(*) from pgflow.task_attempts").fetchone() == (1,)


def test_a_handler_chooses_when_it_is_tried_again(db: str, conn: psycopg.Connection):
    flow = Flow("later", base_delay=timedelta(hours=1))

    @flow.step
    async def only(ctx: Context) -> int:
        if ctx.attempt == 1:
            raise RetryAfter(timedelta(seconds=1), "come back")
        return ctx.attempt

    assert asyncio.run(run(flow, None, db)) == {"only": 2}
    row = conn.execute(
        "select retry_at - failed_at < interval '2 seconds' from pgflow.task_attempts"
    ).fetchone()
    assert row == (True,)


@pytest.mark.parametrize("bad", ["text", float("nan"), object()])
def test_an_output_of_the_wrong_type_is_final(db: str, conn: psycopg.Connection, bad: Any):
    flow = Flow("liar", max_attempts=5)

    @flow.step
    async def only() -> float:
        return bad

    assert "only" in str(failure(flow, None, db))
    assert conn.execute("select count(*) from pgflow.task_attempts").fetchone() == (1,)


def test_an_async_handler_is_stopped_at_its_timeout(db: str):
    flow = Flow("slow", max_attempts=1)
    stopped = threading.Event()

    @flow.step(timeout=timedelta(seconds=1))
    async def only() -> None:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            stopped.set()
            raise

    assert "timeout of 1 s" in str(failure(flow, None, db))
    assert stopped.is_set()


def test_a_thread_past_its_timeout_is_given_up(db: str, caplog: pytest.LogCaptureFixture):
    flow = Flow("stuck", max_attempts=1)
    release = threading.Event()

    @flow.step(timeout=timedelta(seconds=1))
    def only() -> None:
        release.wait(60)

    try:
        assert "timeout of 1 s" in str(failure(flow, None, db))
    finally:
        release.set()
    assert "cannot be stopped" in caplog.text


@pytest.mark.parametrize(
    "error", [TimeoutError, asyncio.CancelledError, SystemExit, KeyboardInterrupt]
)
def test_whatever_a_handler_raises_fails_only_its_attempt(db: str, error: type[BaseException]):
    flow = Flow("raising", input=list[int], max_attempts=1)

    @flow.map(over=flow.input, when_exhausted="skip")
    async def each(number: int) -> int:
        raise error

    @flow.step
    async def after(numbers: list[int] | None = each.output) -> str:
        return f"got {numbers}"

    assert asyncio.run(run(flow, [1], db)) == {"after": "got None"}


def test_no_more_handlers_run_at_once_than_allowed(db: str):
    flow = Flow("crowd", input=list[int])
    running = most = 0

    @flow.map(over=flow.input)
    async def each(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return number

    asyncio.run(run(flow, list(range(60)), db, concurrency=7))

    assert most == 7


def test_sync_handlers_run_in_threads_and_in_any_executor(db: str):
    flow = Flow("executors")
    pool = ThreadPoolExecutor(1, "given")

    @flow.step
    def default() -> str:
        return threading.current_thread().name

    @flow.step(executor=pool)
    def chosen() -> str:
        return threading.current_thread().name

    with pool:
        result = asyncio.run(run(flow, None, db))

    assert result["default"].startswith("pgflow-handler")
    assert result["chosen"].startswith("given")


def test_one_worker_serves_many_flows(db: str):
    flows = [Flow(f"flow_{number}", input=int) for number in range(5)]
    for flow in flows:

        @flow.step(slug="only")
        async def only(number: int = flow.input) -> int:
            return number + 1

    async def all_of_them() -> list[Any]:
        worker = Worker(flows, db)
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            runs = [await client.start_flow(flow, 1) for flow in flows for _ in range(20)]
            for handle in runs:
                await handle.wait(PATIENCE)
            results = [await handle.result() for handle in runs]
        worker.drain()
        await serving
        return results

    assert asyncio.run(all_of_them()) == [{"only": 2}] * 100


def test_work_is_found_by_polling_alone(db: str):
    flow = Flow("deaf", input=int)

    @flow.step
    async def only(number: int = flow.input) -> int:
        return number

    assert asyncio.run(run(flow, 3, db, listen=False, prepared_statements=False)) == {"only": 3}


def test_a_start_wakes_a_worker_that_would_sleep_for_an_hour(db: str, conn: psycopg.Connection):
    flow = Flow("sleepy", input=int)

    @flow.step
    async def only(number: int = flow.input) -> int:
        return number

    async def sleep_then_start() -> Any:
        worker = Worker([flow], db, WorkerOptions(poll_interval=timedelta(hours=1)))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        # Asleep for long: the looks that follow each other quickly are over.
        began = time.monotonic()
        while time.monotonic() - began < 3:
            await asyncio.sleep(0.1)
        async with AsyncClient(db) as client:
            handle = await client.start_flow(flow, 1)
            await handle.wait(timedelta(seconds=20))
        worker.drain()
        await serving

    asyncio.run(sleep_then_start())


@pytest.mark.direct("nothing is heard there")
def test_a_worker_that_never_looks_by_itself_hears_of_each_of_many_starts(db: str):
    flow = Flow("often", input=int)

    @flow.step
    async def first(number: int = flow.input) -> int:
        return number

    @flow.step
    async def second(number: int = first.output) -> int:
        return number

    async def start_again_and_again() -> None:
        worker = Worker([flow], db, WorkerOptions(poll_interval=timedelta(hours=1)))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            for number in range(300):
                handle = await client.start_flow(flow, number)
                await handle.wait(timedelta(seconds=5))
                # Time enough for the worker to leave its mark: what is tested is that it keeps it.
                await asyncio.sleep(0.005)
        worker.drain()
        await serving

    asyncio.run(start_again_and_again())


def test_a_result_that_the_database_refuses_stops_no_other(db: str, conn: psycopg.Connection):
    flow = Flow("refused", input=list[int], max_attempts=1)

    @flow.map(over=flow.input, when_exhausted="skip")
    async def bad(number: int) -> Any:
        return json.loads("[" * 400 + "]" * 400) if number == 1 else number

    @flow.step
    async def good() -> int:
        return 1

    # Deeper than the server's stack allows, but not deeper than Python can write.
    conn.execute(f"alter database {conn.info.dbname} set max_stack_depth = '100kB'")
    result = asyncio.run(run(flow, [0, 1, 2], db))

    assert result["good"] == 1


def test_the_handlers_of_a_cancelled_run_are_stopped(db: str, conn: psycopg.Connection):
    flow = Flow("cancelled", input=list[int])
    began, stopped = asyncio.Event(), asyncio.Event()

    @flow.map(over=flow.input)
    async def each(number: int) -> int:
        began.set()
        try:
            await asyncio.sleep(600)
        finally:
            stopped.set()
        return number

    async def cancel() -> None:
        # Room for one: the next run can only be done when the slot of the first is free again.
        worker = Worker([flow], db, WorkerOptions(concurrency=1))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            handle = await client.start_flow(flow, [1])
            await began.wait()
            conn.execute("select * from pgflow.cancel_run(%s)", (handle.run_id,))
            await asyncio.wait_for(stopped.wait(), 20)
            empty = await client.start_flow(flow, [])
            await empty.wait(PATIENCE)
            began.clear()
            await client.start_flow(flow, [2])
            await asyncio.wait_for(began.wait(), 20)
        worker.stop()
        await serving

    asyncio.run(cancel())


def test_the_type_and_the_traceback_of_an_error_are_kept(db: str, conn: psycopg.Connection):
    flow = Flow("traced", max_attempts=1)

    @flow.step
    async def only() -> None:
        raise LookupError("where \0 is it")

    failure(flow, None, db)

    row = conn.execute(
        "select error_type, error_message, traceback from pgflow.task_attempts"
    ).fetchone()
    assert row is not None
    assert row[:2] == ("LookupError", "LookupError: where \\0 is it")
    assert "test_running.py" in row[2]
