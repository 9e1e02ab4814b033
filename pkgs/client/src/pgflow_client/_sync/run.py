# Made by tools/make_sync.py from _async/run.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""The client's view of one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pgflow_client._follow import Follower
from pgflow_client._functions.runs import (
    get_run_output,
    get_run_reopenings,
    get_step_output,
)
from pgflow_client._sync.looks import Looks, look_at
from pgflow_client._sync.run_streams import RunStreams
from pgflow_client.errors import (
    RunCancelled,
    RunFailed,
    RunNotFound,
    StepNotCompleted,
    StepNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta
    from uuid import UUID

    from pgflow_dsl import AnyStep, Flow, Step

    from pgflow_client._follow import Reopening
    from pgflow_client._sync.database import Database
    from pgflow_client._sync.watcher import Watcher
    from pgflow_client.events import Event
    from pgflow_client.progress import RunProgress, RunStatus

__all__ = ["Run"]

I = TypeVar("I")  # noqa: E741 (input: as in Flow[I])
T = TypeVar("T")


class Run(RunStreams, Generic[I]):
    """One execution of a flow. Made by a client, and good for as long as the client is open.

    Attributes:
        run_id: Its id.
        flow_slug: Its flow.
        flow: The flow's definition; None where it was started or got without one.
    """

    def __init__(
        self,
        database: Database,
        watcher: Watcher | None,
        run_id: UUID,
        flow_slug: str,
        flow: Flow[I] | None,
        status: RunStatus,
    ) -> None:
        super().__init__(database, watcher, run_id, flow_slug)
        self.flow = flow
        self._status: RunStatus = status

    def __repr__(self) -> str:
        return f"<{self._status} run {self.run_id} of flow {self.flow_slug!r}>"

    @property
    def status(self) -> RunStatus:
        """The status when the run was last looked at. `refresh` looks at it now."""
        return self._status

    def refresh(self) -> Run[I]:
        """Look at the run now, so that `status` is up to date.

        Returns:
            The run itself.

        Raises:
            RunNotFound: It has been deleted, or its start was never committed.
        """
        self.progress()
        return self

    def progress(self) -> RunProgress:
        """Return where the run and its steps stand now.

        Raises:
            RunNotFound: It has been deleted, or its start was never committed.
        """
        return self._saw(look_at(self._database, self.run_id))

    def wait(
        self,
        timeout: timedelta | None = None,
    ) -> RunProgress:
        """Wait until the run is completed.

        While the database cannot be reached the wait goes on, once it has seen the run.

        Args:
            timeout: The longest wait; None waits for as long as it takes.

        Returns:
            Where the run and its steps stand at the end.

        Raises:
            RunFailed: It failed, now or before.
            RunCancelled: It was cancelled, now or before.
            WaitTimeout: It has not ended in time. It goes on.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        with self._watch() as watch:
            looks = Looks(self._database, watch, self.flow_slug, timeout)
            progress = self._saw(looks.take())
            while not progress.is_ended:
                progress = self._saw(looks.take())
        if progress.status == "failed":
            step_slug, message = progress.failed_step_slug, progress.error_message
            raise RunFailed(self.run_id, self.flow_slug, step_slug, message)
        if progress.status == "cancelled":
            raise RunCancelled(self.run_id, self.flow_slug, progress.error_message)
        return progress

    def result(
        self,
        timeout: timedelta | None = None,
    ) -> Any:
        """Wait until the run is completed, and return its output.

        Args:
            timeout: The longest wait; None waits for as long as it takes.

        Returns:
            JSON-like data {leaf step: output}, without the leaves that were skipped.

        Raises:
            RunFailed: It failed, now or before.
            RunCancelled: It was cancelled, now or before.
            WaitTimeout: It has not ended in time. It goes on.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        self.wait(timeout)
        row = self._database.call(get_run_output(self.run_id))
        if row is None:
            raise RunNotFound(f"run {self.run_id} does not exist", None, f"run_id={self.run_id}")
        return json.loads(row[1])

    @overload
    def output_of(self, step: Step[..., Any, T]) -> T: ...
    @overload
    def output_of(self, step: str) -> Any: ...
    def output_of(self, step: AnyStep | str) -> Any:
        """Return the output of a completed step, also while the run goes on.

        Args:
            step: The step, or its slug where the flow's code is not at hand.

        Returns:
            The value as dependent steps get it, for a map the list of its elements' outputs;
            given a slug, JSON-like data. None for a step that was skipped and may be.

        Raises:
            StepNotCompleted: The step has not ended, or has no output. That goes for a skipped
                step too if its type does not say that it may be skipped: one that depends on a
                step with "skip-cascade", say.
            WrongFlow: It is a step of another flow.
            StepNotFound: The flow, as the database knows it, has no such step.
            HandlerOutputInvalid: The output is not what the step declares now.
        """
        slug = step if isinstance(step, str) else self._own_slug(step)
        row = self._database.call(get_step_output(self.run_id, slug))
        if row is None:
            detail = f"run_id={self.run_id} step_slug={slug}"
            message = f"run {self.run_id} of flow {self.flow_slug!r} has no step {slug!r}"
            raise StepNotFound(message, "the run may be deleted, or the flow changed", detail)
        may_be_skipped = isinstance(step, str) or step.may_be_skipped
        if row.status == "skipped" and may_be_skipped:
            return None
        if row.status != "completed":
            raise StepNotCompleted(self.run_id, slug, row.status, row.reason)
        text = row.output if row.output is not None else "null"
        return json.loads(text) if isinstance(step, str) else step.load_output(text)

    def events(self, after: str | None = None) -> Generator[Event, None, None]:
        """Yield what has happened so far, then what happens, until the run has ended.

        The events come from the run's state, so each is told once, in an order in which causes
        come before effects, and none is lost, however often the connection is. The last one is a
        `RunEnded`; nothing is raised for a failed run.

        Every event has a `cursor`. Whoever stops after some event, for however long, goes on right
        behind it with that event's cursor, in this process or another, and is told each thing that
        has happened since, once. That goes for a run that was retried or restarted, too: a
        `RunReopened` stands where one of its former ends was. After the last event there is
        nothing, unless the run is reopened.

        Args:
            after: The cursor of the last event that is known already, or that of a `RunProgress`,
                which stands for all that led to it. None begins with the first event.

        Raises:
            CursorInvalid: The text is no cursor, or one of another run.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        follower = Follower(self.run_id, after)
        with self._watch() as watch:
            looks = Looks(self._database, watch, self.flow_slug, None)
            while True:
                progress = self._saw(looks.take())
                reopenings = self._reopenings(progress, follower.reopened_count)
                for event in follower.follow(progress, reopenings):
                    yield event
                if follower.is_done:
                    return

    def _reopenings(self, progress: RunProgress, known: int) -> list[Reopening]:
        if progress.reopened_count <= known:
            return []
        return self._database.call(get_run_reopenings(self.run_id, known))

    def _saw(self, progress: RunProgress) -> RunProgress:
        self._status = progress.status
        return progress
