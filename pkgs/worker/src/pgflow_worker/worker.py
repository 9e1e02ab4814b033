"""A worker: the wiring of its parts, and its life from start to stop."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final
from uuid import uuid4

from pgflow_client.errors import translate_errors
from pgflow_client.worker_protocol import (
    AsyncConn,
    DatabaseError,
    Failure,
    Link,
    TaskRow,
    find_lost_attempts,
    mark_worker_stopped,
    register_worker,
    release_tasks,
)
from pgflow_dsl import Flow

from pgflow_worker._compile import compile_flows
from pgflow_worker._exchange import Exchange
from pgflow_worker._execute import TaskRunner
from pgflow_worker._executors import Executors
from pgflow_worker._heartbeat import Heartbeat
from pgflow_worker._hunter import Hunter
from pgflow_worker._outbox import Outbox
from pgflow_worker._shared_input import SharedInputs
from pgflow_worker._slots import Slots
from pgflow_worker._wakeup import hear_of_work
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry
from pgflow_worker.state import WorkerState, transition

logger: Final = logging.getLogger("pgflow.worker")

# A poll has to be quicker where no notification can come.
_DEAF_POLL_SHARE: Final = 0.1
# How often a worker asks whether what it is at still counts, in seconds.
_WATCH_INTERVAL: Final = 1.0
# How long a stopping worker tries to reach the database for its last words, in seconds.
_LAST_WORDS: Final = 10.0


class Worker:
    """Claims tasks of flows, runs their handlers and reports the results.

    `await worker.run()` serves until `drain` or `stop` is called; a worker runs once.

    Args:
        flows: The flows to serve.
        database_url: URL or connection string of the database.
        options: How it behaves.

    Raises:
        FlowsInvalid: There is no flow, or two have one slug.
    """

    def __init__(
        self,
        flows: Iterable[Flow[Any]],
        database_url: str,
        options: WorkerOptions | None = None,
    ) -> None:
        self.worker_id: Final = str(uuid4())
        self._registry: Final = Registry(flows)
        self._conninfo: Final = database_url
        self._options: Final = options or WorkerOptions()
        self._state = WorkerState.CREATED
        self._ready: Final = asyncio.Event()
        self._ending: Final = asyncio.Event()
        self._at_once: Final = asyncio.Event()
        self._outbox: Final = Outbox()
        self._slots: Final = Slots(self._options.concurrency)
        self._tasks: Final[dict[asyncio.Task[None], TaskRow]] = {}
        self._exchange: Final = Exchange(
            worker_id=self.worker_id,
            flow_slugs=self._registry.flow_slugs,
            outbox=self._outbox,
            slots=self._slots,
            dispatch=self._dispatch,
        )
        self._control: Final = self._link("worker")
        self._executors: Final = Executors(self._registry, self._options)
        self._runner: TaskRunner | None = None

    @property
    def state(self) -> WorkerState:
        """Where the worker stands."""
        return self._state

    async def wait_ready(self) -> None:
        """Return when the worker is registered and claims."""
        await self._ready.wait()

    def drain(self) -> None:
        """Claim nothing more, let handlers finish within shutdown_timeout, then stop."""
        self._ending.set()

    def stop(self) -> None:
        """Claim nothing more, cancel handlers, hand their tasks back, and stop at once."""
        self._at_once.set()
        self._ending.set()

    async def run(self) -> None:
        """Serve until `drain` or `stop` is called.

        Raises:
            FlowShapeMismatch: A flow has another structure in the database.
            SchemaMissing: pgflow is not installed in the database.
            DatabaseUnreachable: The database could not be reached at the start. Later on the worker
                waits for it, however long it takes.
        """
        self._become(WorkerState.STARTING)
        try:
            await self._start()
        except BaseException:
            await self._control.close()
            self._become(WorkerState.STOPPED)
            raise
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._say_stopped)
            stack.callback(self._executors.shutdown)
            heartbeat = self._heartbeat()
            heartbeat.start()
            stack.callback(heartbeat.stop)
            await self._serve(stack)

    async def _start(self) -> None:
        # The first connection is not retried: a wrong URL should say so, not wait.
        with translate_errors():
            conn = await self._control.open()
            await compile_flows(conn, self._registry.flows, self._options.allow_data_loss)
            await self._register(conn)

    async def _serve(self, stack: AsyncExitStack) -> None:
        shared_link = self._link("shared input")
        stack.push_async_callback(shared_link.close)
        self._runner = TaskRunner(self._outbox, SharedInputs(shared_link), self._executors.by_name)
        hunter = self._start_part(stack, "hunter", self._hunt)
        lanes = [
            self._start_part(stack, f"lane {number}", self._exchange.run_lane)
            for number in range(1, self._options.lanes + 1)
        ]
        parts = [hunter, *lanes, self._start_part(stack, "watch", self._watch_over)]
        if self._options.listen:
            parts.append(self._start_part(stack, "ear", self._listen))
        if not self._ending.is_set():
            self._become(WorkerState.RUNNING)
        self._ready.set()
        logger.info("worker %s serves %s", self.worker_id, ", ".join(self._registry.flow_slugs))
        ending = asyncio.ensure_future(self._ending.wait())
        # A part that ends by itself has met what it cannot mend.
        done, _ = await asyncio.wait({ending, *parts}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        await self._drain()
        for part in done - {ending}:
            part.result()

    def _start_part(self, stack: AsyncExitStack, name: str, run: Any) -> asyncio.Task[None]:
        """Run a part of the worker with a connection of its own."""
        link = self._link(name)
        task = asyncio.create_task(run(link), name=f"pgflow {name}")

        async def end() -> None:
            # Again and again: a wait of the driver can swallow a cancellation on Python 3.11.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=1)
            await link.close()

        stack.push_async_callback(end)
        return task

    async def _hunt(self, link: Link) -> None:
        poll = self._options.poll_interval.total_seconds()
        await Hunter(
            self._exchange,
            self._slots,
            worker_id=self.worker_id,
            flow_slugs=self._registry.flow_slugs,
            poll_interval=poll if self._options.listen else poll * _DEAF_POLL_SHARE,
        ).run(link)

    async def _listen(self, link: Link) -> None:
        await hear_of_work(
            link, frozenset(self._registry.flow_slugs), self._exchange.call_for_work.set
        )

    async def _watch_over(self, link: Link) -> None:
        """Cancel handlers whose attempts count no longer: run cancelled or failed, lease lost."""
        while True:
            before = set(self._tasks)
            await asyncio.sleep(_WATCH_INTERVAL)
            # A handler that was there a second ago is worth the question; most are faster.
            rows = [row for task, row in self._tasks.items() if task in before]
            if rows:
                self._cancel_lost(await link.call(partial(find_lost_attempts, rows=rows)))

    def _cancel_lost(self, lost: list[TaskRow]) -> None:
        reasons = {(row.run_id, row.step_slug, row.task_index, row.attempt): row for row in lost}
        for task, row in list(self._tasks.items()):
            found = reasons.get((row.run_id, row.step_slug, row.task_index, row.attempt))
            if found is not None:
                logger.info(
                    "stopping step %s in run %s, task %d: %s",
                    row.step_slug,
                    row.run_id,
                    row.task_index,
                    found.refused,
                )
                task.cancel()
                self._exchange.let_go(row)

    def _dispatch(self, row: TaskRow) -> None:
        handler = self._registry.find(row.flow_slug, row.step_slug)
        if handler is None or self._runner is None:
            unknown = f"the worker's code has no step {row.step_slug} in flow {row.flow_slug}"
            self._outbox.add_failure(Failure(row=row, message=unknown))
            return
        task = asyncio.create_task(self._runner.run(handler, row))
        self._tasks[task] = row
        task.add_done_callback(self._tasks.pop)

    async def _drain(self) -> None:
        """Stop claiming, wait for handlers and reports, and hand back what does not finish."""
        if self._state is not WorkerState.STOPPED:
            self._become(WorkerState.DRAINING)
        self._exchange.is_claiming = False
        self._exchange.call_for_work.set()
        if self._tasks:
            logger.info("draining: %d tasks are under way", len(self._tasks))
        at_once = asyncio.ensure_future(self._at_once.wait())
        finished = asyncio.ensure_future(self._finish())
        await asyncio.wait(
            {at_once, finished},
            timeout=self._options.shutdown_timeout.total_seconds(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        at_once.cancel()
        finished.cancel()
        await self._hand_back()

    async def _finish(self) -> None:
        while self._exchange.held:
            if self._tasks:
                await asyncio.wait(set(self._tasks), return_when=asyncio.FIRST_COMPLETED)
            else:
                # What is held now is in the hands of a lane; a call takes a millisecond or so.
                await asyncio.sleep(0.002)

    async def _hand_back(self) -> None:
        """Cancel what is under way and return its tasks, which costs them no attempt."""
        rows = list(self._tasks.values())
        for task in list(self._tasks):
            task.cancel()
        if rows:
            # A handler that swallows its cancellation does not hold the worker up.
            await asyncio.wait(set(self._tasks), timeout=1)
            logger.warning("handing back %d tasks that did not finish in time", len(rows))
            await self._last_words(lambda: self._control.call(lambda c: release_tasks(c, rows)))
            self._exchange.drop(rows)
        await self._last_words(self._finish)

    async def _say_stopped(self) -> None:
        await self._last_words(
            lambda: self._control.call(lambda conn: mark_worker_stopped(conn, self.worker_id))
        )
        await self._control.close()
        self._become(WorkerState.STOPPED)
        logger.info("worker %s has stopped", self.worker_id)

    async def _last_words(self, say: Any) -> None:
        """Try for a bounded time; others take over what could not be said."""
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await say()
        except (TimeoutError, DatabaseError) as error:
            logger.warning("the database was not told everything before the stop: %s", error)

    def _heartbeat(self) -> Heartbeat:
        loop = asyncio.get_running_loop()

        def on_deprecated() -> None:
            loop.call_soon_threadsafe(self._deprecated)

        def on_unknown() -> None:
            asyncio.run_coroutine_threadsafe(self._register_again(), loop)

        return Heartbeat(
            self._conninfo,
            self.worker_id,
            self._options.heartbeat_interval.total_seconds(),
            on_deprecated=on_deprecated,
            on_unknown=on_unknown,
        )

    def _deprecated(self) -> None:
        logger.info("worker %s is deprecated and drains", self.worker_id)
        self.drain()

    async def _register(self, conn: AsyncConn) -> None:
        place = f"{socket.gethostname()}:{os.getpid()}"
        lease = int(self._options.lease.total_seconds())
        await register_worker(conn, self.worker_id, self._registry.flow_slugs, place, lease)

    async def _register_again(self) -> None:
        await self._control.call(self._register)

    def _link(self, name: str) -> Link:
        return Link(self._conninfo, name, prepared_statements=self._options.prepared_statements)

    def _become(self, state: WorkerState) -> None:
        self._state = transition(self._state, state)
