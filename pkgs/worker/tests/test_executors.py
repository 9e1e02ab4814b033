"""Where sync handlers run: threads, processes, executors of the user's own."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker._room import NoRoom, Room, TimeIsUp
from pgflow_worker._threads import HandlerThreads
from pgflow_worker.testing import run_flow, running_worker

from pkgs.worker.tests import samples
from tests.support import until


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def pool_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("pgflow-")]


def test_handlers_run_in_processes_that_end_with_the_worker(db: str):
    result = asyncio.run(
        run_flow(samples.crunching, [1, 2, 3, 4], db, options=WorkerOptions(processes=2))
    )

    assert [row[:2] for row in result["square"]] == [[1, 0], [4, 1], [9, 2], [16, 3]]
    pids = {row[2] for row in result["square"]}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    until(lambda: not any(is_alive(pid) for pid in pids))
    until(lambda: pool_threads() == [])


def test_a_process_that_is_killed_costs_one_attempt(db: str, conn: psycopg.Connection):
    assert asyncio.run(run_flow(samples.suicidal, None, db)) == {"die_once": 2}
    row = conn.execute("select error_message, traceback from pgflow.task_attempts").fetchone()
    assert row is not None
    assert "signal 9" in row[0]
    # That of the worker says nothing about the handler.
    assert row[1] is None


def test_a_process_that_is_long_in_coming_is_waited_for_at_no_cost(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._processes._LONGEST_START", 0.01)
    options = WorkerOptions(processes=1)
    result = asyncio.run(run_flow(samples.crunching, [1, 2, 3], db, options=options))
    assert [row[0] for row in result["square"]] == [1, 4, 9]
    assert len({row[2] for row in result["square"]}) == 1
    attempts = "select max(attempts_count - released_count), sum(released_count) > 0"
    assert conn.execute(f"{attempts} from pgflow.step_tasks").fetchone() == (1, True)
    until(lambda: pool_threads() == [])


def test_a_process_past_its_timeout_is_killed(db: str, tmp_path: Path):
    place = tmp_path / "pid"
    with pytest.raises(RunFailed, match="timeout of 1 s"):
        asyncio.run(run_flow(samples.endless, str(place), db))
    until(lambda: not is_alive(int(place.read_text())))


@pytest.mark.parametrize(
    ("kind", "attempts", "message"),
    [
        ("final", 1, "FinalError: no use"),
        ("exit", 3, "SystemExit: 3"),
        ("unpicklable", 3, "Unpicklable: this and that"),
    ],
)
def test_what_a_handler_raises_in_a_process_is_told_as_anywhere(
    db: str, conn: psycopg.Connection, kind: str, attempts: int, message: str
):
    with pytest.raises(RunFailed, match=message):
        asyncio.run(run_flow(samples.raising, kind, db))
    rows = conn.execute("select error_message, traceback from pgflow.task_attempts").fetchall()
    assert [row[0] for row in rows] == [message] * attempts
    assert "raise_it" in rows[0][1]
    assert "pgflow_worker" not in rows[0][1]


def test_a_step_that_no_process_can_import_says_so(db: str):
    flow = Flow("local", max_attempts=1)

    @flow.step(executor="process")
    def only() -> int:
        return 1

    with pytest.raises(RunFailed, match="only"):
        asyncio.run(run_flow(flow, None, db))


def test_an_executor_may_be_made_by_a_function_when_it_is_first_needed(db: str):
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        if not made:
            made.append(ThreadPoolExecutor(1))
            raise ConnectionError("not there yet")
        made.append(ThreadPoolExecutor(1, "made"))
        return made[-1]

    flow = Flow("made", base_delay=timedelta(0))

    @flow.step(executor=make)
    def first() -> str:
        return threading.current_thread().name

    @flow.step(executor=make, after=[first])
    def second() -> str:
        return threading.current_thread().name

    assert asyncio.run(run_flow(flow, None, db)) == {"second": "made_0"}
    assert len(made) == 2
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[1].submit(int)


def test_an_error_in_a_given_executor_fails_the_attempt(db: str):
    flow = Flow("given", max_attempts=1)
    pool = ThreadPoolExecutor(1)

    @flow.step(executor=pool)
    def only() -> None:
        raise StopIteration

    with pytest.raises(RunFailed, match="StopIteration"):
        asyncio.run(run_flow(flow, None, db))
    pool.shutdown()
    with pytest.raises(RunFailed, match="shutdown"):
        asyncio.run(run_flow(flow, None, db))


def test_a_call_that_a_given_executor_never_ends_is_past_its_timeout(
    db: str, caplog: pytest.LogCaptureFixture
):
    flow = Flow("given_up", max_attempts=1)
    release = threading.Event()

    with ThreadPoolExecutor(1) as pool:

        @flow.step(executor=pool, timeout=timedelta(seconds=1))
        def only() -> None:
            release.wait(60)

        with pytest.raises(RunFailed, match="timeout of 1 s"):
            asyncio.run(run_flow(flow, None, db))
        release.set()
    assert "cannot be stopped" in caplog.text


def test_more_sync_handlers_than_threads_all_get_their_full_time(db: str):
    flow = Flow("queueing", input=list[int], max_attempts=1)
    gate = threading.Event()
    asked: list[int] = []

    @flow.map(over=flow.input, timeout=timedelta(seconds=2))
    def wait(number: int) -> int:
        asked.append(number)
        # Each takes its second: those that wait for a thread do so for longer than the timeout.
        gate.wait(0.7)
        return number

    options = WorkerOptions(threads=2)
    result = asyncio.run(run_flow(flow, list(range(8)), db, options=options))

    assert result == {"wait": list(range(8))}
    assert sorted(asked) == list(range(8))


def test_threads_that_hang_do_not_take_room_from_others(db: str):
    flow = Flow("hanging", input=list[int], max_attempts=1)
    release = threading.Event()

    @flow.map(over=flow.input, timeout=timedelta(seconds=1), when_exhausted="skip")
    def hang(number: int) -> None:
        release.wait(60)

    @flow.step(after=[hang])
    def then() -> str:
        return "had a thread"

    try:
        result = asyncio.run(run_flow(flow, [1, 2], db, options=WorkerOptions(threads=2)))
    finally:
        release.set()
    assert result == {"then": "had a thread"}
    until(lambda: pool_threads() == [])


def test_a_thread_serves_one_call_after_the_other():
    async def names() -> set[int]:
        threads = HandlerThreads(3)
        seen = {await threads.run(threading.get_ident) for _ in range(5)}
        threads.shut_down()
        return seen

    assert len(asyncio.run(names())) == 1
    until(lambda: pool_threads() == [])


def test_a_call_that_is_given_up_says_so_and_frees_its_place():
    release, told = threading.Event(), threading.Event()

    async def hang_then_call() -> int:
        threads = HandlerThreads(1)
        with pytest.raises(TimeIsUp):
            await threads.run(lambda: release.wait(60), 0.01, told.set)
        try:
            return await threads.run(lambda: 5, 10)
        finally:
            release.set()
            threads.shut_down()

    assert asyncio.run(hang_then_call()) == 5
    assert told.is_set()
    until(lambda: pool_threads() == [])


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyboardInterrupt, TimeoutError])
def test_whatever_a_call_raises_comes_out_of_its_thread(error: type[BaseException]):
    def fail() -> None:
        raise error

    async def call() -> str:
        threads = HandlerThreads(1)
        try:
            await threads.run(fail)
        except BaseException as raised:
            return repr(raised)
        finally:
            threads.shut_down()
        return "nothing"

    assert error.__name__ in asyncio.run(call())


def test_who_waits_too_long_for_a_place_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pgflow_worker._room.LONGEST_WAIT", 0.01)

    async def crowd() -> None:
        room = Room(1)
        await room.enter()
        with pytest.raises(NoRoom):
            await room.enter()
        room.leave()
        await room.enter()

    asyncio.run(crowd())


def test_a_task_that_waits_too_long_for_a_thread_is_handed_back(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._room.LONGEST_WAIT", 0.05)
    flow = Flow("crowded", input=list[int], max_attempts=1)
    release = threading.Event()

    @flow.map(over=flow.input)
    def each(number: int) -> int:
        release.wait(60)
        return number

    def handed_back() -> int:
        row = conn.execute("select sum(released_count) from pgflow.step_tasks").fetchone()
        return int(row[0] or 0) if row else 0

    async def crowd() -> Any:
        async with (
            running_worker([flow], db, WorkerOptions(threads=1)),
            AsyncClient(db) as client,
        ):
            handle = await client.start_flow(flow, [1, 2, 3])
            await asyncio.to_thread(until, lambda: handed_back() > 0)
            release.set()
            return await handle.result(timedelta(seconds=30))

    assert asyncio.run(crowd()) == {"each": [1, 2, 3]}


HANGING = """
import asyncio, sys, threading
from datetime import timedelta
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions

flow = Flow("exit", input=int)
began = threading.Event()

@flow.step
def hang(number: int = flow.input) -> None:
    began.set()
    threading.Event().wait()

async def main():
    worker = Worker([flow], sys.argv[1], WorkerOptions(shutdown_timeout=timedelta(0)))
    serving = asyncio.create_task(worker.run())
    await worker.wait_ready()
    print("ready", flush=True)
    while not began.is_set():
        await asyncio.sleep(0.01)
    worker.drain()
    await serving
    print("stopped", flush=True)

asyncio.run(main())
"""


def test_a_handler_that_hangs_does_not_keep_the_process_alive(db: str, conn: psycopg.Connection):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HANGING), db], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        conn.execute("select pgflow.start_flow('exit', '1')")
        assert process.wait(60) == 0
        assert process.stdout.read() == "stopped\n"
    finally:
        process.kill()
        process.communicate()
    task = conn.execute("select status, attempts_count - released_count from pgflow.step_tasks")
    assert task.fetchone() == ("queued", 0)


PROCESS_PARENT = """
import asyncio, sys
from pgflow_worker import Worker
from pkgs.worker.tests.samples import endless

if __name__ == "__main__":
    asyncio.run(Worker([endless], sys.argv[1]).run())
"""


def test_processes_end_when_their_worker_is_killed(
    db: str, conn: psycopg.Connection, tmp_path: Path
):
    program, place = tmp_path / "parent.py", tmp_path / "pid"
    program.write_text(PROCESS_PARENT)
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    process = subprocess.Popen(
        [sys.executable, program, db], env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        until(
            lambda: conn.execute("select 1 from pgflow.workers").fetchone(), timedelta(seconds=60)
        )
        conn.execute(
            "select pgflow.start_flow('endless_process', to_jsonb(%s::text))", (str(place),)
        )
        until(lambda: place.exists() and place.read_text(), timedelta(seconds=60))
    finally:
        process.kill()
        process.wait(20)
    until(lambda: not is_alive(int(place.read_text())))
