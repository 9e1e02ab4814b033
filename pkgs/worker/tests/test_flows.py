"""Whole flows on a worker: conditions, skips, large data, changed options, rude handlers."""

import asyncio
import logging
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, Flow, job
from pgflow_worker import Worker, WorkerOptions
from pgflow_worker.testing import run_flow, running_worker

PATIENCE = timedelta(seconds=30)


def branching() -> Flow[dict[str, str]]:
    flow = Flow("branching", input=dict[str, str])

    @flow.step(when={flow: {"language": "en"}})
    async def english(page: dict[str, str] = flow.input) -> str:
        return f"hello {page['name']}"

    @flow.step(when={flow: {"language": "fr"}})
    async def french(page: dict[str, str] = flow.input) -> str:
        return f"bonjour {page['name']}"

    @flow.step
    async def say(en: str | None = english.output, fr: str | None = french.output) -> list[Any]:
        return [en, fr]

    return flow


@pytest.mark.parametrize(
    ("language", "said"), [("en", ["hello Ada", None]), ("fr", [None, "bonjour Ada"])]
)
def test_only_the_branch_whose_condition_holds_runs(db: str, language: str, said: list[Any]):
    page = {"language": language, "name": "Ada"}
    assert asyncio.run(run_flow(branching(), page, db)) == {"say": said}


def test_a_skip_that_cascades_takes_its_dependents_along(db: str):
    flow = Flow("cascading", input=int, max_attempts=1)
    ran: list[str] = []

    @flow.step(when_exhausted="skip-cascade")
    async def broken(number: int = flow.input) -> int:
        raise ValueError

    @flow.step
    async def never(number: int = broken.output) -> int:
        ran.append("never")
        return number

    @flow.step
    async def apart(number: int = flow.input) -> int:
        return number

    assert asyncio.run(run_flow(flow, 1, db)) == {"apart": 1}
    assert ran == []


def test_maps_over_nothing_and_over_maps_are_maps(db: str):
    flow = Flow("nested", input=list[list[int]])

    @flow.map(over=flow.input)
    async def length(numbers: list[int]) -> int:
        return len(numbers)

    @flow.step
    def total(numbers: list[int] = length.output) -> int:
        return sum(numbers)

    @flow.map(over=length.output)
    def double(number: int, whole: int = total.output) -> list[int]:
        return [2 * number, whole]

    async def both() -> list[Any]:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handles = await client.start_flows(flow, [[], [[1], [1, 2], []]])
            return [await handle.result(PATIENCE) for handle in handles]

    assert asyncio.run(both()) == [{"double": []}, {"double": [[2, 3], [4, 3], [0, 3]]}]


def test_large_outputs_arrive_whole(db: str):
    flow = Flow("large", input=list[int])

    @flow.map(over=flow.input)
    async def blow_up(number: int) -> str:
        return f"{number}é" * 250_000

    @flow.step
    async def measure(texts: list[str] = blow_up.output) -> list[int]:
        assert len(set(texts)) == len(texts)
        return [len(text) for text in texts]

    assert asyncio.run(run_flow(flow, list(range(8)), db)) == {"measure": [500_000] * 8}


def test_jobs_run_beside_flows(db: str):
    @job
    async def upper(text: str) -> str:
        return text.upper()

    @job(slug="attempts")
    def how_often(ctx: Context) -> int:
        return ctx.attempt

    async def both() -> list[Any]:
        async with running_worker([upper, how_often, branching()], db), AsyncClient(db) as client:
            first = await client.start_flow(upper, "a")
            second = await client.start_flow(how_often)
            return [await first.result(PATIENCE), await second.result(PATIENCE)]

    assert asyncio.run(both()) == ["A", 1]


def test_changed_options_reach_the_database_and_the_log(
    db: str, conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "pgflow.worker")
    for attempts in (3, 7):
        flow = Flow("tuned", max_attempts=attempts)

        @flow.step(timeout=timedelta(seconds=attempts))
        async def only() -> int:
            return 1

        asyncio.run(run_flow(flow, None, db))

    assert conn.execute("select opt_max_attempts from pgflow.flows").fetchone() == (7,)
    assert conn.execute("select opt_timeout from pgflow.steps").fetchone() == (7,)
    [told] = [each.message for each in caplog.records if "were updated" in each.message]
    assert "flow tuned" in told
    assert "max_attempts of the flow is 7 and was 3" in told
    assert "timeout of step only is 7 and was 3" in told


def test_workers_of_the_same_flows_in_another_order_start_at_once(
    db: str, conn: psycopg.Connection
):
    def flows() -> list[Flow[int]]:
        made = [Flow(f"flow_{number}", input=int) for number in range(20)]
        for flow in made:

            @flow.step
            async def only(number: int = flow.input) -> int:
                return number

        return made

    async def start(order: int) -> None:
        async with running_worker(flows()[::order], db):
            pass

    async def start_all() -> None:
        await asyncio.gather(*[start(order) for order in (1, -1, 1, -1)])

    asyncio.run(start_all())

    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (20,)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("error", [Unprintable, StopIteration, StopAsyncIteration, GeneratorExit])
def test_strange_exceptions_fail_their_attempt_and_nothing_else(
    db: str, error: type[BaseException]
):
    flow = Flow("strange", input=int, max_attempts=1)

    @flow.step
    async def coroutine(number: int = flow.input) -> int:
        if number == 1:
            raise error
        return number

    @flow.step
    def function(number: int = coroutine.output) -> int:
        if number == 2:
            raise error
        return number

    async def three() -> Any:
        options = WorkerOptions(concurrency=1)
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            handles = await client.start_flows(flow, [1, 2, 3])
            for handle in handles[:2]:
                with pytest.raises(RunFailed, match=r"coroutine|function"):
                    await handle.wait(PATIENCE)
            return await handles[2].result(PATIENCE)

    assert asyncio.run(three()) == {"function": 3}


def test_a_retry_waits_as_long_as_the_step_says(db: str, conn: psycopg.Connection):
    flow = Flow("patient", max_attempts=3, base_delay=timedelta(seconds=1))

    @flow.step(max_delay=timedelta(seconds=1))
    async def only(ctx: Context) -> int:
        if ctx.attempt == 1:
            raise ValueError
        return ctx.attempt

    assert asyncio.run(run_flow(flow, None, db)) == {"only": 2}
    row = conn.execute(
        "select round(extract(epoch from retry_at - failed_at)) from pgflow.task_attempts"
    ).fetchone()
    assert row == (1,)


def test_a_blocked_event_loop_does_not_make_a_worker_look_dead(db: str, conn: psycopg.Connection):
    flow = Flow("blocking")
    began = Counter[str]()

    @flow.step
    async def only() -> int:
        began["only"] += 1
        # What no handler should do.
        time.sleep(2.5)  # noqa: ASYNC251
        return 1

    async def block() -> Any:
        options = WorkerOptions(
            lease=timedelta(seconds=1), heartbeat_interval=timedelta(seconds=0.2)
        )
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            return await handle.result(PATIENCE)

    assert asyncio.run(block()) == {"only": 1}
    assert began["only"] == 1
    assert conn.execute("select attempts_count from pgflow.step_tasks").fetchone() == (1,)


def test_other_handlers_go_on_while_one_is_stopped_at_its_timeout(db: str):
    flow = Flow("mixed", input=list[int], max_attempts=1)
    stopped = asyncio.Event()

    @flow.map(over=flow.input, timeout=timedelta(seconds=1), when_exhausted="skip")
    async def hang(number: int) -> None:
        await asyncio.sleep(600)

    @flow.step(timeout=timedelta(seconds=30))
    async def wait_for_it() -> str:
        while not stopped.is_set():
            await asyncio.sleep(0.01)
        return "went on"

    @flow.step(after=[hang])
    async def see_it() -> None:
        stopped.set()

    result = asyncio.run(run_flow(flow, [1, 2], db))
    assert result["wait_for_it"] == "went on"


def test_handlers_know_their_run_and_write_with_its_ids(db: str, caplog: pytest.LogCaptureFixture):
    flow = Flow("logging")

    @flow.step
    def only(ctx: Context) -> str:
        ctx.logger.warning("from a thread")
        return str(ctx.run_id)

    result = asyncio.run(run_flow(flow, None, db))

    (record,) = [each for each in caplog.records if each.name == "pgflow.task"]
    assert vars(record)["run_id"] == result["only"]
    assert vars(record)["step_slug"] == "only"


def test_a_step_that_the_code_does_not_have_fails_with_its_name(
    db: str, conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
):
    flow = Flow("older", max_attempts=1)

    @flow.step
    async def only() -> int:
        return 1

    async def serve() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            # As a newer program would, after this worker has started.
            conn.execute("select pgflow.add_step('older', 'newer')")
            for _ in range(2):
                handle = await client.start_flow(flow)
                with pytest.raises(RunFailed, match="no step newer"):
                    await handle.wait(PATIENCE)

    asyncio.run(serve())
    told = [each.message for each in caplog.records if "newer program" in each.message]
    assert len(told) == 1
    assert "no step newer in flow older" in told[0]


def test_a_worker_runs_once(db: str):
    worker = Worker([branching()], db)

    async def twice() -> None:
        worker.stop()
        await worker.run()
        with pytest.raises(Exception, match="make a new one"):
            await worker.run()

    asyncio.run(twice())
