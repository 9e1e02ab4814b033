"""What the client's tests share: flows driven by hand, and async tests."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pgflow_dsl import Flow, compile_flow
from psycopg.types.json import Jsonb

from tests.support.fixtures import POOLER_VARIABLE

IS_POOLED = bool(os.environ.get(POOLER_VARIABLE))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run each async test on an event loop of its own, which may have nothing left at its end."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        async with asyncio.timeout(60):
            await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set(), "tasks are left behind"

    asyncio.run(run())
    return True


class Hand:
    """A worker that does what a test tells it, through the SQL functions."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.worker_id = uuid4()
        self.flow_slugs: list[str] = []

    def serve(self, *flows: Flow[Any]) -> None:
        for flow in flows:
            self.conn.execute(compile_flow(flow).encode())
            self.flow_slugs.append(flow.slug)
        self.call("register_worker", self.worker_id, self.flow_slugs)

    def call(self, function: str, *arguments: Any) -> Any:
        places = ", ".join("%s" for _ in arguments)
        row = self.conn.execute(f"select pgflow.{function}({places})".encode(), arguments)
        return row.fetchone()

    def claim(self) -> None:
        self.call("claim_tasks", self.flow_slugs, 1000, self.worker_id)

    def complete(self, run_id: UUID, step: str, output: Any = None, index: int = 0) -> None:
        self.claim()
        self.call("complete_task", run_id, step, index, Jsonb(output))

    def complete_all(self, run_ids: Sequence[UUID], step: str, output: Any = None) -> None:
        """Complete the same step of many runs in one transaction."""
        self.claim()
        count = len(run_ids)
        outputs = [Jsonb(output)] * count
        self.call("complete_tasks", list(run_ids), [step] * count, [0] * count, outputs)

    def fail(self, run_id: UUID, step: str, index: int = 0, *, is_final: bool = True) -> None:
        self.claim()
        self.call("fail_task", run_id, step, index, "boom", None, is_final, 0)

    def emit(self, run_id: UUID, step: str, *items: Any, index: int = 0) -> None:
        """Emit items from the attempt of a task that is under way."""
        self.claim()
        next_number = """
            select coalesce(max(item.number), 0) + 1
            from pgflow.step_tasks as task
            left join pgflow.stream_items as item
              on (item.run_id, item.step_slug, item.task_index, item.attempt)
                = (task.run_id, task.step_slug, task.task_index, task.attempts_count)
            where (task.run_id, task.step_slug, task.task_index) = (%s, %s, %s)
        """
        row = self.conn.execute(next_number, (run_id, step, index)).fetchone()
        arrays = [run_id], [step], [index], [None], [row[0] if row else 1], [Jsonb(list(items))]
        refused = self.call("append_to_streams", *arrays)
        assert refused is None, refused

    def cancel(self, run_id: UUID, reason: str | None = None) -> None:
        self.call("cancel_run", run_id, reason)

    def watched(self) -> set[UUID]:
        """The runs that somebody has marked."""
        rows = self.conn.execute("select run_id from pgflow.run_watchers").fetchall()
        return {row[0] for row in rows}

    def is_waited_for(self) -> bool:
        """Whether somebody waits for a run by now. Through a pooler nobody marks, and all ask."""
        return bool(self.watched() or (IS_POOLED and self.backends("%get_run_versions%")))

    def runs(self) -> int:
        return self.conn.execute("select count(*) from pgflow.runs").fetchall()[0][0]

    def backends(self, query: str = "%") -> list[int]:
        """Process ids of the clients' connections whose last query is like this."""
        sql = """
            select pid from pg_stat_activity
            where datname = current_database() and application_name = 'pgflow-client'
              and query ilike %s
        """
        return [row[0] for row in self.conn.execute(sql, (query,))]

    def listeners(self) -> set[int]:
        return {*self.backends("%watch_runs%"), *self.backends("%get_run_versions%")}

    def activity(self) -> dict[int, Any]:
        """When each of the clients' connections last began a statement, by process id."""
        rows = self.conn.execute(
            "select pid, query_start from pg_stat_activity"
            " where datname = current_database() and application_name = 'pgflow-client'"
        )
        return dict(rows.fetchall())

    def cut(self, *pids: int) -> None:
        """Cut connections, and wait until they are gone."""
        for pid in pids:
            self.conn.execute("select pg_terminate_backend(%s, 5000)", (pid,))


@pytest.fixture
def hand(conn: psycopg.Connection[Any]) -> Hand:
    return Hand(conn)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    async def wait_for(predicate: Callable[[], Any]) -> Any:
        while not (value := predicate()):
            await asyncio.sleep(0.005)
        return value

    return wait_for


@pytest.fixture
def follow() -> Callable[[Any], tuple[list[Any], "asyncio.Task[None]"]]:
    """Collect a run's events beside the test: the list as it grows, and the task."""

    def start(run: Any) -> tuple[list[Any], "asyncio.Task[None]"]:
        events: list[Any] = []

        async def collect() -> None:
            async for event in run.events():
                events.append(event)  # noqa: PERF401 (the test looks at the list meanwhile)

        return events, asyncio.create_task(collect())

    return start


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave looks to what prompts them, so that a lost notification is a test that hangs."""
    from pgflow_client._pace import Pace

    monkeypatch.setattr(Pace, "next_delay", lambda self: 3600.0)


@pytest.fixture
def greet(hand: Hand) -> Flow[str]:
    """A flow of one step."""
    flow = Flow("greet", input=str)

    @flow.step
    def hello(name: str = flow.input) -> str:
        return name

    hand.serve(flow)
    return flow
