"""Several worker processes under one that keeps them up and ends them together."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any, Final

from pgflow_cli.children import DRAIN, STOP, Child
from pgflow_cli.exposition import shared_metrics
from pgflow_cli.probes import health_answer, serving_probes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_cli.exposition import SharedMetrics
    from pgflow_cli.probes import Answer, Places

__all__ = ["exit_code_of", "supervise"]

logger: Final = logging.getLogger("pgflow.worker")

# How long a crashed process stays away, in seconds: at first, and at most.
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
# Seconds after which a crash is not a consequence of the last one.
_LONG_ENOUGH: Final = 60.0
# What a draining worker may take beyond its shutdown_timeout, in seconds.
_GRACE: Final = 20.0
_KILLED: Final = 128


def supervise(count: int, arguments: Sequence[str], shutdown_timeout: float, places: Places) -> int:
    """Run worker processes until a signal ends them, or all have ended in good order.

    One that crashes is replaced, after ever longer pauses. One that ends with code 0, such as a
    deprecated worker, is not. The first SIGTERM or SIGINT drains all, the second stops them at
    once, the third kills them. When this process is killed, they drain.

    Args:
        count: How many.
        arguments: The words after `pgflow` that each of them runs.
        shutdown_timeout: Seconds that a worker takes to drain.
        places: Where to answer for all of them: ready while one of them is, and with the metrics of
            all.

    Returns:
        The exit code: 0 where all have drained, 128 + N where signal N cut them short, else that
        of the process that could not start, which has told why.
    """
    with shared_metrics(is_wanted=places.metrics_port is not None) as metrics:
        supervisor = _Supervisor(count, arguments, shutdown_timeout, metrics)
        health = {"/health": lambda: health_answer(True), "/ready": supervisor.readiness}
        with serving_probes(places, health, metrics.answer):
            return asyncio.run(supervisor.run())


def exit_code_of(returncode: int) -> int:
    """Return what a shell makes of the code that a process ended with."""
    return _KILLED - returncode if returncode < 0 else returncode


class _Supervisor:
    def __init__(
        self,
        count: int,
        arguments: Sequence[str],
        shutdown_timeout: float,
        metrics: SharedMetrics,
    ) -> None:
        self._metrics: Final = metrics
        self._ready: Final[set[Child]] = set()
        self._count: Final = count
        self._arguments: Final = arguments
        self._patience: Final = shutdown_timeout + _GRACE
        self._children: Final[set[Child]] = set()
        self._signals: Final[list[int]] = []
        self._ending: Final = asyncio.Event()
        self._has_served: Final = asyncio.Event()

    def readiness(self) -> Answer:
        """Answer whether any of the processes serves; called from other threads."""
        ready = len(self._ready)
        return health_answer(ready > 0 and not self._signals, processes=ready)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)
        # The first alone, so that what keeps all of them from starting is told once.
        keepers = [asyncio.create_task(self._keep(1))]
        served = asyncio.create_task(self._has_served.wait())
        await asyncio.wait({keepers[0], served}, return_when=asyncio.FIRST_COMPLETED)
        if served.done():
            keepers += [
                asyncio.create_task(self._keep(number)) for number in range(2, self._count + 1)
            ]
        served.cancel()
        await self._wait_for(keepers)
        if len(self._signals) > 1:
            return _KILLED + self._signals[-1]
        return next((code for keeper in keepers if (code := keeper.result())), 0)

    async def _wait_for(self, keepers: list[asyncio.Task[int]]) -> None:
        """Wait for the end of all, and from the order to end on only as long as it may take."""
        ending = asyncio.create_task(self._ending.wait())
        all_ended = asyncio.gather(*keepers)
        either: set[asyncio.Future[Any]] = {all_ended, ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        await asyncio.wait({all_ended}, timeout=self._patience)
        if not all_ended.done():
            logger.error("%d worker processes do not end and are killed", len(self._children))
            self._kill()
        await all_ended

    async def _keep(self, number: int) -> int:
        """Have a process run, and another whenever it crashes; return the last one's exit code."""
        loop = asyncio.get_running_loop()
        delay = _FIRST_DELAY
        while True:
            began = loop.time()
            code = await self._run_child(number)
            if not code or self._ending.is_set() or not self._has_served.is_set():
                return exit_code_of(code)
            if loop.time() - began > _LONG_ENOUGH:
                delay = _FIRST_DELAY
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            logger.error(
                "worker process %d ended %s; another takes its place in %g s", number, how, delay
            )
            try:
                async with asyncio.timeout(delay):
                    await self._ending.wait()
                return 0
            except TimeoutError:
                delay = min(2 * delay, _LONGEST_DELAY)

    async def _run_child(self, number: int) -> int:
        child = await Child.start(self._arguments, self._metrics.environment)
        self._children.add(child)
        for order in (DRAIN, STOP)[: len(self._signals)]:
            # A signal came while it was being started.
            child.order(order)
        logger.info("worker process %d is %d", number, child.process.pid)
        async for is_ready in child.readiness():
            if is_ready:
                self._has_served.set()
                self._ready.add(child)
            else:
                self._ready.discard(child)
        code = await child.wait()
        self._ready.discard(child)
        self._children.discard(child)
        self._metrics.forget(child.process.pid)
        return code

    def _receive(self, number: int) -> None:
        self._signals.append(number)
        self._ending.set()
        name = signal.Signals(number).name
        if len(self._signals) > 2:
            logger.error("%s: kills its processes; others take over their tasks", name)
            self._kill()
            return
        if len(self._signals) == 2:
            logger.warning("%s: stops its processes at once", name)
        else:
            logger.info("%s: drains its processes; once more stops them at once", name)
        for child in self._children:
            child.order(STOP if len(self._signals) == 2 else DRAIN)

    def _kill(self) -> None:
        for child in self._children:
            child.kill()
