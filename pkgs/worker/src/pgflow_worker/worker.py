"""A worker: the wiring of its parts, and its life from start to stop."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, TypeAlias
from uuid import uuid4

from pgflow_client.errors import translate_errors
from pgflow_client.worker_protocol import (
    AsyncConn,
    Link,
    Outage,
    TaskRow,
    claim_apart,
    release_tasks,
)
from pgflow_dsl import Flow

from pgflow_worker._compile import compile_flows
from pgflow_worker._crew import Crew
from pgflow_worker._ending import LastWords, end_task, uninterrupted
from pgflow_worker._exchange import Exchange
from pgflow_worker._execute import TaskRunner
from pgflow_worker._executors import Executors
from pgflow_worker._guard import Guard
from pgflow_worker._heartbeat import Heartbeat
from pgflow_worker._hunter import Hunter
from pgflow_worker._inputs import Inputs
from pgflow_worker._limits import Limits
from pgflow_worker._observer import Observer
from pgflow_worker._outbox import Outbox
from pgflow_worker._registration import Registration
from pgflow_worker._retirement import Retirement
from pgflow_worker._slots import Slots
from pgflow_worker._streams import Streams
from pgflow_worker._surroundings import Reach
from pgflow_worker._transactions import Transactions
from pgflow_worker._wakeup import hear_of_work
from pgflow_worker._watchdog import Watchdog
from pgflow_worker.errors import WorkerStateInvalid
from pgflow_worker.health import WorkerHealth
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry
from pgflow_worker.state import WorkerState, transition

logger: Final = logging.getLogger("pgflow.worker")

# A poll has to be quicker where no notification can come.
_DEAF_POLL_SHARE: Final = 0.1
# Longest wait for the claim that may be under way when nothing else is, in seconds.
_LAST_CLAIM: Final = 1.0
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
        self._last_words: Final = LastWords()
        self._heart: Heartbeat | None = None
        self._outage: Final = Outage()
        self._control: Final = self._link("worker")
        self._registration: Final = Registration(
            self.worker_id, self._registry.flow_slugs, self._options, self._control
        )
        self._listens = self._options.listen is True
        self._executors: Final = Executors(self._options)
        self._reach: Final = Reach(
            inputs=Inputs(self._link("inputs")),
            streams=Streams(self._stop_lost),
            transactions=Transactions(
                self._conninfo, self._options.most_transactions, self._outage
            ),
        )
        self._limits: Final = Limits(self._options.limits, self._registry)
        self._slots: Final = Slots(
            self._options.concurrency, self._registry.flow_slugs, self._limits.counts
        )
        outbox = Outbox(self._options.largest_report)
        self._observer: Final = Observer(
            self.worker_id, self._registry.flow_slugs, self._options, self._link
        )
        self._guard: Final = Guard()
        runner = TaskRunner(
            *(outbox, self._executors, self._reach, self._hand_back, self._settle),
            *(self._observer, self._guard),
        )
        self._crew: Final = Crew(self._registry, outbox, runner, self._guard)
        self._exchange: Final = Exchange(
            worker_id=self.worker_id,
            flow_slugs=self._registry.flow_slugs,
            outbox=outbox,
            slots=self._slots,
            dispatch=self._crew.begin,
            turn_away=self._crew.turn_away,
            register=self._registration.make,
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
            FlowShapeMismatch: A flow has another structure in the database, and `make_versions` is
                off.
            SchemaMissing: pgflow is not installed in the database.
            DatabaseUnreachable: The database could not be reached at the start. Later on the worker
                waits for it, however long it takes.
            LoopCancelled: A handler has cancelled all tasks of the event loop.
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
            watchdog = Watchdog(self._options.blocked_after.total_seconds(), self._crew.find)
            watchdog.start()
            stack.callback(watchdog.stop)
            stack.push_async_callback(self._reach.inputs.close)
            stack.push_async_callback(self._reach.transactions.close)
            stack.push_async_callback(self._observer.close)
            await self._live(stack)
            self._guard.stand()
            stack.push_async_callback(self._guard.leave)
            try:
                with translate_errors():
                    await self._serve(stack)
            except asyncio.CancelledError:
                self._guard.explain()
                raise

    async def _start(self) -> None:
        # The first connection is not retried: a wrong URL should say so, not wait.
        with translate_errors():
            conn = await self._control.open()
            self._heed_pooler()
            await compile_flows(conn, self._registry, self._options)
            await claim_apart(conn, self._registry.in_versions(self._limits.steps))
            await self._registration.make(conn)
            await self._registration.track_function(conn)

    async def _live(self, stack: AsyncExitStack) -> None:
        if self._lifespan is not None:
            self._reach.resources = await stack.enter_async_context(self._lifespan(self))
            self._reach.has_resources = True

    def _heed_pooler(self) -> None:
        is_pooled = self._control.is_pooled
        prepares = self._options.prepared_statements
        self._reach.transactions.prepares = not is_pooled if prepares is None else prepares
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
            drain = self._drain(parts)
            # Whoever has cancelled all tasks once may do so again.
            await (uninterrupted(drain) if self._guard.is_hit else drain)
        for part in parts:
            if part.done():
                part.result()

    def _start_part(self, stack: AsyncExitStack, name: str, run: Any) -> asyncio.Task[None]:
        """Run a part of the worker with a connection of its own."""
        link = self._link(name)
        task = asyncio.create_task(run(link), name=f"pgflow {name}")

        async def end() -> None:
            await end_task(task)
            await link.close()

        stack.push_async_callback(end)
        return task

    async def _hunt(self, link: Link) -> None:
        poll = self._options.poll_interval.total_seconds()
        await Hunter(
            self._exchange,
            self._slots,
            worker_id=self.worker_id,
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
        # Without a task, only a claim can be under way, for which a database that is gone has no
        # answer.
        longest = self._options.shutdown_timeout.total_seconds()
        if not self._exchange.held:
            longest = min(longest, _LAST_CLAIM)
        finished = asyncio.ensure_future(self._exchange.wait_until_empty())
        at_once = asyncio.ensure_future(self._at_once.wait())
        broken = {part for part in parts if part.get_name() != _HUNTER}
        try:
            await asyncio.wait(
                {finished, at_once, *broken},
                timeout=longest,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            finished.cancel()
            at_once.cancel()
        is_urgent = self._at_once.is_set() and not self._guard.is_hit
        self._last_words.begin(is_brief=is_urgent or not self._exchange.held)
        await self._last_words.say(self._hand_all_back)

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
        if self._guard.is_hit:
            await self._exchange.report_rest(self._control)
        await self._exchange.release_unknown(self._control)
        # The results of those that finished.
        await self._exchange.wait_until_empty()
        await self._observer.tell_last(self._control)

    async def _hand_back(self, row: TaskRow) -> None:
        """Return a task that was never begun."""
        logger.info("handing back step %s in run %s: no room", row.step_slug, row.run_id)

        async def call(conn: AsyncConn) -> None:
            # Its flow may have been defined anew since this worker started.
            await claim_apart(conn, self._registry.in_versions(self._limits.steps))
            await release_tasks(conn, [row])

        await self._control.call(call)
        self._exchange.let_go(row)

    def _settle(self, row: TaskRow, refused: str | None) -> None:
        self._exchange.settle(row, refused)

    async def _say_stopped(self) -> None:
        await self._registration.settle()
        await self._last_words.say(self._registration.mark_stopped)
        await self._control.close()
        self._become(WorkerState.STOPPED)
        # Where it never was: who waits for it is told why not.
        self._ready.set()
        logger.info("worker %s has stopped", self.worker_id)

    def _heartbeat(self) -> Heartbeat:
        loop = asyncio.get_running_loop()
        return Heartbeat(
            self._conninfo,
            self.worker_id,
            self._options.heartbeat_interval.total_seconds(),
            self._options.lease.total_seconds(),
            on_deprecated=lambda: loop.call_soon_threadsafe(self._deprecated),
            on_unknown=lambda: loop.call_soon_threadsafe(self._registration.renew),
            outage=self._outage,
        )

    def _deprecated(self) -> None:
        logger.info("worker %s is deprecated and drains", self.worker_id)
        self.drain()

    def _link(self, name: str) -> Link:
        prepares = self._options.prepared_statements
        return Link(self._conninfo, name, prepared_statements=prepares, outage=self._outage)

    def _become(self, state: WorkerState) -> None:
        self._state = transition(self._state, state)
