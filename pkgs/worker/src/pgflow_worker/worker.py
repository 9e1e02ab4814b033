"""A worker: the wiring of its parts, and its life from start to stop."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, TypeAlias
from uuid import uuid4

from pgflow_client.errors import translate_errors
from pgflow_client.worker_protocol import (
    AsyncConn,
    DatabaseError,
    Link,
    TaskRow,
    mark_worker_stopped,
    register_worker,
    release_tasks,
    track_worker_function,
)
from pgflow_dsl import Flow

from pgflow_worker._compile import compile_flows
from pgflow_worker._crew import Crew
from pgflow_worker._exchange import Exchange
from pgflow_worker._execute import TaskRunner
from pgflow_worker._executors import Executors
from pgflow_worker._heartbeat import Heartbeat
from pgflow_worker._hunter import Hunter
from pgflow_worker._inputs import Inputs
from pgflow_worker._observer import Observer
from pgflow_worker._outbox import Outbox
from pgflow_worker._retirement import Retirement
from pgflow_worker._slots import Slots
from pgflow_worker._streams import Streams
from pgflow_worker._surroundings import Reach
from pgflow_worker._wakeup import hear_of_work
from pgflow_worker.errors import WorkerStateInvalid
from pgflow_worker.health import WorkerHealth
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry
from pgflow_worker.state import WorkerState, transition

logger: Final = logging.getLogger("pgflow.worker")

# A poll has to be quicker where no notification can come.
_DEAF_POLL_SHARE: Final = 0.1
# How long a stopping worker tries to reach the database for its last words, in seconds: for all of
# them, and for the very last.
_LAST_WORDS: Final = 10.0
_LAST_WORD: Final = 1.0
_HUNTER: Final = "pgflow hunter"

Lifespan: TypeAlias = Callable[["Worker"], AbstractAsyncContextManager[object]]
"""Makes what handlers use while a worker serves: a function with `asynccontextmanager`."""


class Worker:
    """Claims tasks of flows, runs their handlers and reports the results.

    `await worker.run()` serves until `drain` or `stop` is called, or the worker's options say that
    it is over; a worker runs once.

    Args:
        flows: The flows to serve.
        database_url: URL or connection string of the database.
        options: How it behaves.
        lifespan: Called with the worker before it serves; what the context manager yields reaches
            handlers as `ctx.resources`, and it is left when all of them have ended.

    Raises:
        FlowsInvalid: There is no flow, or two have one slug.
        DatabaseUnreachable: The URL is not one. Nothing is connected to before `run`.
        ExtraMissing: An option needs a library that is not installed.
    """

    def __init__(
        self,
        flows: Iterable[Flow[Any]],
        database_url: str,
        options: WorkerOptions | None = None,
        *,
        lifespan: Lifespan | None = None,
    ) -> None:
        self.worker_id: Final = str(uuid4())
        self._registry: Final = Registry(flows)
        self._conninfo: Final = database_url
        self._options: Final = options or WorkerOptions()
        self._lifespan: Final = lifespan
        self._state = WorkerState.CREATED
        self._ready: Final = asyncio.Event()
        self._ending: Final = asyncio.Event()
        self._at_once: Final = asyncio.Event()
        self._registering: asyncio.Task[None] | None = None
        self._last_words_until: float | None = None
        self._heart: Heartbeat | None = None
        self._control: Final = self._link("worker")
        self._listens = self._options.listen is True
        self._executors: Final = Executors(self._options)
        self._reach: Final = Reach(
            inputs=Inputs(self._link("inputs")), streams=Streams(self._stop_lost)
        )
        self._slots: Final = Slots(self._options.concurrency)
        outbox = Outbox()
        self._observer: Final = Observer(
            self.worker_id, self._registry.flow_slugs, self._options, self._link
        )
        runner = TaskRunner(outbox, self._executors, self._reach, self._hand_back, self._observer)
        self._crew: Final = Crew(self._registry, outbox, runner)
        self._exchange: Final = Exchange(
            worker_id=self.worker_id,
            flow_slugs=self._registry.flow_slugs,
            outbox=outbox,
            slots=self._slots,
            dispatch=self._crew.begin,
            register=self._register,
            observer=self._observer,
        )
        self._retirement: Final = Retirement(self._options, self._exchange, self.drain)

    @property
    def state(self) -> WorkerState:
        """Where the worker stands."""
        return self._state

    def health(self) -> WorkerHealth:
        """Tell how the worker is; safe to call from any thread."""
        beaten_at = self._heart.beaten_at if self._heart is not None else None
        return WorkerHealth(
            worker_id=self.worker_id,
            state=self._state,
            held=self._exchange.held_count,
            silence=None if beaten_at is None else time.monotonic() - beaten_at,
            lease=self._options.lease.total_seconds(),
        )

    async def wait_ready(self) -> None:
        """Return when the worker is registered and claims.

        Raises:
            WorkerStateInvalid: It stopped before; `run` says why.
        """
        await self._ready.wait()
        if self._state is WorkerState.STOPPED:
            raise WorkerStateInvalid(old=self._state, new=WorkerState.RUNNING)

    def drain(self) -> None:
        """Claim nothing more, let handlers finish within shutdown_timeout, then stop."""
        self._ending.set()

    def stop(self) -> None:
        """Claim nothing more, cancel handlers, hand their tasks back, and stop at once."""
        self._at_once.set()
        self._ending.set()

    async def run(self) -> None:
        """Serve until `drain` or `stop` is called, or the options say that it is over.

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
            self._ready.set()
            raise
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._say_stopped)
            stack.callback(self._executors.shut_down)
            self._heart = self._heartbeat()
            self._heart.start()
            stack.push_async_callback(self._heart.stop)
            stack.push_async_callback(self._reach.inputs.close)
            stack.push_async_callback(self._observer.close)
            await self._live(stack)
            with translate_errors():
                await self._serve(stack)

    async def _start(self) -> None:
        # The first connection is not retried: a wrong URL should say so, not wait.
        with translate_errors():
            conn = await self._control.open()
            self._choose_whether_to_listen()
            await compile_flows(conn, self._registry.flows, self._options.allow_data_loss)
            await self._register(conn)
            if self._options.function_name is not None:
                slugs = self._registry.flow_slugs
                await track_worker_function(conn, self._options.function_name, slugs)

    async def _live(self, stack: AsyncExitStack) -> None:
        if self._lifespan is not None:
            self._reach.resources = await stack.enter_async_context(self._lifespan(self))
            self._reach.has_resources = True

    def _choose_whether_to_listen(self) -> None:
        is_pooled = self._control.is_pooled
        if self._options.listen is None:
            self._listens = not is_pooled
        if is_pooled:
            how = "listens through it" if self._listens else "polls, and does not listen"
            logger.info("there is a pooler in front of the database: the worker %s", how)

    async def _serve(self, stack: AsyncExitStack) -> None:
        parts = [
            self._start_part(stack, "hunter", self._hunt),
            self._start_part(stack, "watch", self._watch),
            self._start_part(stack, "streams", self._reach.streams.run),
            self._start_part(stack, "observer", self._observer.run),
            self._start_part(stack, "retirement", self._retirement.run),
        ]
        parts += [
            self._start_part(stack, f"lane {number}", self._exchange.run_lane)
            for number in range(1, self._options.lanes + 1)
        ]
        if self._listens:
            parts.append(self._start_part(stack, "ear", self._listen))
        if not self._ending.is_set():
            self._become(WorkerState.RUNNING)
        self._ready.set()
        logger.info("worker %s serves %s", self.worker_id, ", ".join(self._registry.flow_slugs))
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            # A part that ends by itself has met what it cannot mend.
            await asyncio.wait({ending, *parts}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.stop()
            raise
        finally:
            ending.cancel()
            await self._drain(parts)
        for part in parts:
            if part.done():
                part.result()

    def _start_part(self, stack: AsyncExitStack, name: str, run: Any) -> asyncio.Task[None]:
        """Run a part of the worker with a connection of its own."""
        link = self._link(name)
        task = asyncio.create_task(run(link), name=f"pgflow {name}")

        async def end() -> None:
            await _end(task)
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
            poll_interval=poll if self._listens else poll * _DEAF_POLL_SHARE,
        ).run(link)

    async def _listen(self, link: Link) -> None:
        await hear_of_work(
            link, frozenset(self._registry.flow_slugs), self._exchange.call_for_work.set
        )

    async def _watch(self, link: Link) -> None:
        await self._crew.watch(link, self._exchange.let_go)

    def _stop_lost(self, lost: list[TaskRow]) -> None:
        for row in self._crew.stop_lost(lost):
            self._exchange.let_go(row)

    async def _drain(self, parts: Iterable[asyncio.Task[None]]) -> None:
        """Stop claiming, wait for handlers and reports, and hand back what does not finish."""
        self._become(WorkerState.DRAINING)
        self._exchange.stop_claiming()
        if self._crew:
            logger.info("draining: %d tasks are under way", len(self._crew))
        finished = asyncio.ensure_future(self._exchange.wait_until_empty())
        at_once = asyncio.ensure_future(self._at_once.wait())
        broken = {part for part in parts if part.get_name() != _HUNTER}
        try:
            await asyncio.wait(
                {finished, at_once, *broken},
                timeout=self._options.shutdown_timeout.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            finished.cancel()
            at_once.cancel()
        await self._last_words(self._hand_all_back)

    async def _hand_all_back(self) -> None:
        """Cancel what is under way and return its tasks, which costs them no attempt."""
        self._crew.give_up()
        await self._exchange.wait_for_claims()
        rows = await self._crew.collect()
        await self._reach.streams.flush_all()
        if rows:
            logger.warning("handing back %d tasks that did not finish in time", len(rows))
            await self._control.call(lambda conn: release_tasks(conn, rows))
            self._exchange.drop(rows)
        await self._exchange.release_unknown(self._control)
        # The results of those that finished.
        await self._exchange.wait_until_empty()
        await self._observer.tell_last(self._control)

    async def _hand_back(self, row: TaskRow) -> None:
        """Return a task that was never begun."""
        logger.info("handing back step %s in run %s: no room", row.step_slug, row.run_id)
        await self._control.call(lambda conn: release_tasks(conn, [row]))
        self._exchange.let_go(row)

    async def _say_stopped(self) -> None:
        if self._registering is not None:
            await _end(self._registering)
        await self._last_words(
            lambda: self._control.call(lambda conn: mark_worker_stopped(conn, self.worker_id))
        )
        await self._control.close()
        self._become(WorkerState.STOPPED)
        # Where it never was: who waits for it is told why not.
        self._ready.set()
        logger.info("worker %s has stopped", self.worker_id)

    async def _last_words(self, say: Callable[[], Awaitable[None]]) -> None:
        """Try for a bounded time, all in all; others take over what could not be said."""
        now = asyncio.get_running_loop().time()
        if self._last_words_until is None:
            self._last_words_until = now + _LAST_WORDS
        try:
            async with asyncio.timeout_at(max(self._last_words_until, now + _LAST_WORD)):
                await say()
        except (TimeoutError, DatabaseError) as error:
            reason = str(error) or "it does not answer"
            logger.warning("the database was not told everything before the stop: %s", reason)

    def _heartbeat(self) -> Heartbeat:
        loop = asyncio.get_running_loop()

        def on_deprecated() -> None:
            loop.call_soon_threadsafe(self._deprecated)

        def on_unknown() -> None:
            loop.call_soon_threadsafe(self._register_again)

        return Heartbeat(
            self._conninfo,
            self.worker_id,
            self._options.heartbeat_interval.total_seconds(),
            self._options.lease.total_seconds(),
            on_deprecated=on_deprecated,
            on_unknown=on_unknown,
        )

    def _deprecated(self) -> None:
        logger.info("worker %s is deprecated and drains", self.worker_id)
        self.drain()

    async def _register(self, conn: AsyncConn) -> None:
        name = self._options.function_name
        place = name or f"{socket.gethostname()}:{os.getpid()}"
        lease = int(self._options.lease.total_seconds())
        await register_worker(conn, self.worker_id, self._registry.flow_slugs, place, lease)

    def _register_again(self) -> None:
        if self._registering is None or self._registering.done():
            self._registering = asyncio.create_task(self._control.call(self._register))

    def _link(self, name: str) -> Link:
        return Link(self._conninfo, name, prepared_statements=self._options.prepared_statements)

    def _become(self, state: WorkerState) -> None:
        self._state = transition(self._state, state)


async def _end(task: asyncio.Task[None]) -> None:
    # Again and again: a wait of the driver can swallow a cancellation on Python 3.11.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if not task.cancelled():
        # Looked at, so that it is not reported as lost; who cares has it from the task.
        task.exception()
