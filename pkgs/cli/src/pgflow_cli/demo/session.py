"""One run of the demo's flow: a worker in this process, a run, and a view of it."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pgflow_client import AsyncClient, RunEnded, RunStarted
from pgflow_worker import Worker, WorkerOptions

from pgflow_cli.demo.files import to_path
from pgflow_cli.demo.flow import demo, total_up
from pgflow_cli.demo.picture import draw_picture
from pgflow_cli.demo.report import picture_of
from pgflow_cli.demo.state import RunView

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from uuid import UUID

    from pgflow_client import AsyncRun

    from pgflow_cli.demo.flow import Survey, Totals
    from pgflow_cli.demo.view import View

# Reading files is little waiting and much Python, which more threads would only fight for.
_THREADS: Final = 4
# What is left at the end can only be the tasks of other runs, which others will take over.
_LAST_TASKS: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run that has completed.

    Attributes:
        totals: What was found.
        duration: How long the run took.
    """

    totals: Totals
    duration: timedelta


class Session:
    """Runs the flow once, and shows it.

    Attributes:
        run_id: The run; None until it is started.
    """

    def __init__(self, database_url: str, view: View) -> None:
        self.run_id: UUID | None = None
        self._database_url = database_url
        self._view = view

    def run(self, survey: Survey) -> Outcome:
        """Start a worker and a run, and return when the run has completed.

        Args:
            survey: What to read, and where to write.

        Raises:
            RunFailed: A step failed.
            RunCancelled: Somebody cancelled the run.
            DatabaseProblem: The database cannot be used.
            KeyboardInterrupt: Ctrl-C. The run stays, for other workers to go on with.
            asyncio.CancelledError: The same, after SIGTERM.
        """
        return asyncio.run(_until_terminated(self._run(survey)))

    async def _run(self, survey: Survey) -> Outcome:
        # The flow is the demo's own: where it changes with the program, its old runs may go.
        options = WorkerOptions(
            threads=_THREADS, allow_data_loss=True, shutdown_timeout=_LAST_TASKS
        )
        async with (
            _serving(Worker([demo], self._database_url, options)) as worker,
            AsyncClient(self._database_url) as client,
        ):
            run = await client.start_flow(demo, survey)
            self.run_id = run.run_id
            self._view.done(f"run {run.run_id} of flow {demo.slug}")
            watching = asyncio.ensure_future(self._watch(run, survey))
            try:
                # A worker ends before it is told to only if something is badly wrong.
                await asyncio.wait({watching, worker}, return_when=asyncio.FIRST_COMPLETED)
                if worker.done():
                    worker.result()
                return await watching
            finally:
                watching.cancel()

    async def _watch(self, run: AsyncRun[Survey], survey: Survey) -> Outcome:
        view = RunView(demo)
        started_at = ended_at = None
        with self._view.watching(view):
            async for event in run.events():
                match event:
                    case RunStarted():
                        started_at = event.at
                    case RunEnded():
                        ended_at = event.at
                    case _:
                        step = view.apply(event)
                        if step is not None:
                            self._view.show(step)
        # Raises what ended a run that has not completed.
        await run.wait()
        # The last step drew it before it had ended itself, and without the times.
        picture = draw_picture(demo, view.steps)
        picture_of(to_path(survey.report)).write_text(picture, encoding="utf-8")
        duration = ended_at - started_at if ended_at and started_at else timedelta()
        return Outcome(totals=await run.output_of(total_up), duration=duration)


@asynccontextmanager
async def _serving(worker: Worker) -> AsyncGenerator[asyncio.Task[None]]:
    """Have a worker serve until the block ends; give its task once it claims."""
    task = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.wait_ready())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield task
    except BaseException:
        # That tasks are handed back is what is wanted here, and no news.
        logging.getLogger("pgflow.worker").setLevel(logging.ERROR)
        worker.stop()
        raise
    else:
        worker.drain()
    finally:
        ready.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until_terminated(work: Coroutine[None, None, Outcome]) -> Outcome:
    """Cancel the work on SIGTERM, as Ctrl-C does by itself, so that it ends in good order."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
