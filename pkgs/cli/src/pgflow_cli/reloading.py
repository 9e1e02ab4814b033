"""A worker that starts anew whenever its code changes, for development."""

from __future__ import annotations

import asyncio
import logging
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pgflow_worker import ExtraMissing

from pgflow_cli.children import DRAIN, STOP, Child
from pgflow_cli.supervising import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Reloader", "folders_of", "serve_reloading"]

logger: Final = logging.getLogger("pgflow.worker")

# How long handlers get to finish when the code has changed, in seconds.
_BRIEFLY: Final = 2.0


def serve_reloading(arguments: Sequence[str], folders: Iterable[Path]) -> int:
    """Run a worker process, and a new one whenever a Python file below the folders changes.

    A worker that ends with an error has told it, and the next change starts another. Signals do
    what they do to a worker by itself.

    Args:
        arguments: The words after `pgflow` that the worker runs.
        folders: What to watch. Hidden folders and environments in them are left out.

    Returns:
        The exit code: as that of a worker, 0 where a signal came while none was running.

    Raises:
        ExtraMissing: The library that watches files is not installed.
    """
    return asyncio.run(Reloader(arguments, folders).run())


def folders_of(targets: Iterable[str]) -> list[Path]:
    """Return the folders to watch: the current one, and those of files that are not below it.

    Args:
        targets: What names the flows.
    """
    current = Path.cwd()
    paths = [Path(target.rpartition(":")[0] or target).resolve() for target in targets]
    others = {path.parent for path in paths if path.suffix == ".py"}
    others |= {path for path in paths if path.is_dir()}
    return [current, *sorted(each for each in others if not each.is_relative_to(current))]


class Reloader:
    """Keeps one worker process up that runs the code as it is now.

    Args:
        arguments: The words after `pgflow` that the worker runs.
        folders: What to watch.

    Raises:
        ExtraMissing: The library that watches files is not installed.
    """

    def __init__(self, arguments: Sequence[str], folders: Iterable[Path]) -> None:
        if find_spec("watchfiles") is None:
            raise ExtraMissing("--reload", "pgflow-cli[reload]")
        self._arguments: Final = arguments
        self._folders: Final = tuple(folders)
        self._signals: Final[list[int]] = []
        self._child: Child | None = None
        self._changed: Final = asyncio.Event()
        self._ending: Final = asyncio.Event()

    async def run(self) -> int:
        """Run until a signal comes, or a worker ends in good order; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                code = await self._run_child()
                if self._ending.is_set() or (not code and not self._changed.is_set()):
                    return code
                if not self._changed.is_set():
                    logger.error("the worker has ended; the next change of its code starts another")
                    await _first(self._changed, self._ending)
                if self._ending.is_set():
                    return 0
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _run_child(self) -> int:
        """Run a worker until it ends, or the code changes; return its exit code."""
        self._changed.clear()
        child = self._child = await Child.start(self._arguments)
        for order in (DRAIN, STOP)[: len(self._signals)]:
            child.order(order)
        ended = asyncio.create_task(child.wait())
        changed = asyncio.create_task(self._changed.wait())
        await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            child.order(DRAIN)
            await asyncio.wait({ended}, timeout=_BRIEFLY)
            child.order(STOP)
        changed.cancel()
        code = exit_code_of(await ended)
        self._child = None
        return code

    async def _watch(self) -> None:
        from watchfiles import PythonFilter, awatch

        # It counts changes, which are told by name here.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        async for changes in awatch(*self._folders, watch_filter=PythonFilter()):
            names = sorted({Path(path).name for _, path in changes})
            logger.info("%s changed: starting anew", ", ".join(names))
            self._changed.set()

    def _receive(self, number: int) -> None:
        self._signals.append(number)
        self._ending.set()
        if self._child is None:
            return
        if len(self._signals) > 2:
            self._child.kill()
        else:
            self._child.order(STOP if len(self._signals) == 2 else DRAIN)


async def _first(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
