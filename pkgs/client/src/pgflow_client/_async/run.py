"""The client's view of one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from pgflow_dsl import Job
from typing_extensions import TypeVar

from pgflow_client._async.looks import Looks, follow, look_at, outlast, raise_end
from pgflow_client._async.run_streams import RunStreams
from pgflow_client._async.step import AsyncRunStep
from pgflow_client._async.subscription import AsyncSubscription
from pgflow_client._follow import Follower
from pgflow_client._functions.runs import get_run_output, get_step_output
from pgflow_client._functions.steering import cancel_run, restart_run, retry_run
from pgflow_client.errors import (
    DatabaseUnreachable,
    RunNotFound,
    StepNotCompleted,
    StepNotFound,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta
    from uuid import UUID

    from pgflow_dsl import AnyStep, Flow, Step

    from pgflow_client._async.hub import Hub
    from pgflow_client.events import Event
    from pgflow_client.progress import RunProgress, RunState, RunStatus

__all__ = ["AsyncRun"]

I = TypeVar("I", default=Any)  # noqa: E741 (input: as in Flow[I])
O = TypeVar("O", default=Any)  # noqa: E741 (output)
T = TypeVar("T")


class AsyncRun(RunStreams, Generic[I, O]):
    """One execution of a flow. Made by a client, and good for as long as the client is open.

    Its type says what the flow takes and, for a job, what it returns: `AsyncRun[Order, Receipt]`.
    The output of any other flow is JSON-like data to type checkers; `result_of` and `step` take
    the step whose output is wanted, and give it with its type.

    Attributes:
        run_id: Its id.
        flow_slug: Its flow.
        flow: The flow's definition; None where it was started or got without one.
    """

    def __init__(
        self, hub: Hub, run_id: UUID, flow_slug: str, flow: Flow[I] | None, state: RunState
    ) -> None:
        super().__init__(hub, run_id, flow_slug)
        self.flow = flow
        self._state = state

    def __repr__(self) -> str:
        return f"<{self.status} run {self.run_id} of flow {self.flow_slug!r}>"

    @property
    def status(self) -> RunStatus:
        """The latest status that was seen, whoever looked. `refresh` looks at it now.

        That of a run that `start_flows` found by its idempotency key is "started" until then.
        """
        return self._state.status

    async def refresh(self) -> AsyncRun[I, O]:
        """Look at the run now, so that `status` is up to date.

        Returns:
            The run itself.

        Raises:
            RunNotFound: It has been deleted, or its start was never committed.
        """
        await self.progress()
        return self

    async def progress(self) -> RunProgress:
        """Return where the run and its steps stand now.

        Raises:
            RunNotFound: It has been deleted, or its start was never committed.
        """
        return self._saw(await look_at(self._database, self.run_id))

    async def wait(
        self,
        timeout: timedelta | None = None,  # noqa: ASYNC109 (WaitTimeout says which run)
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
        with self._hub.watch(self.run_id, ends_only=True) as watch:
            looks = Looks(self._database, watch, self.flow_slug, timeout)
            progress = await looks.take_until(lambda _: False, self._saw)
        await raise_end(self._database, progress)
        return progress

    async def result(
        self,
        timeout: timedelta | None = None,  # noqa: ASYNC109 (as for wait)
    ) -> O:
        """Wait until the run is completed, and return its output.

        Args:
            timeout: The longest wait; None waits for as long as it takes.

        Returns:
            What the job's function returned, where the run was started or got with a job. Else
            JSON-like data {leaf step: output}, without the leaves that were skipped.

        Raises:
            HandlerOutputInvalid: The output of a job is not what its function declares now.
            PgflowError: As `wait`.
        """
        await self.wait(timeout)
        while True:
            try:
                return await self._output()
            except DatabaseUnreachable:
                await outlast(self._hub, self.run_id, self.flow_slug, timeout)

    async def _output(self) -> O:
        job: Any = self.flow
        if isinstance(self.flow, Job):
            return await self.output_of(cast("Step[..., Any, O]", job.main))
        row = await self._database.call(get_run_output(self.run_id))
        if row is None:
            message = f"run {self.run_id} does not exist"
            raise RunNotFound(message, "it has been deleted", f"run_id={self.run_id}")
        output: O = json.loads(row[1])
        return output

    async def result_of(
        self,
        step: Step[..., Any, T],
        timeout: timedelta | None = None,  # noqa: ASYNC109 (as for wait)
    ) -> T:
        """Wait until the run is completed, and return the output of one of its steps.

        Args:
            step: The step, of which the output has the type.
            timeout: The longest wait; None waits for as long as it takes.

        Raises:
            PgflowError: As `wait` and `output_of`.
        """
        handle = self.step(step)
        await self.wait(timeout)
        return await handle.output(timeout)

    @overload
    async def output_of(self, step: Step[..., Any, T]) -> T: ...
    @overload
    async def output_of(self, step: str) -> Any: ...
    async def output_of(self, step: AnyStep | str) -> Any:
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
        slug = self._slug_of(step)
        row = await self._database.call(get_step_output(self.run_id, slug))
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

    @overload
    def step(self, step: Step[..., Any, T]) -> AsyncRunStep[T]: ...
    @overload
    def step(self, step: str) -> AsyncRunStep[Any]: ...
    def step(self, step: AnyStep | str) -> AsyncRunStep[Any]:
        """Return a handle of one step, to wait for it and to get its output.

        Args:
            step: The step, or its slug where the flow's code is not at hand.

        Raises:
            WrongFlow: It is a step of another flow.
        """
        self._slug_of(step)
        return AsyncRunStep(self._hub, self, step, self._saw)

    async def cancel(self, reason: str | None = None) -> AsyncRun[I, O]:
        """Cancel the run: nothing more of it is started, and what is under way counts no longer.

        A run that has ended stays as it is.

        Args:
            reason: Kept with the run, and told to whoever waits for it.

        Returns:
            The run itself, its `status` up to date.

        Raises:
            RunNotFound: It has been deleted, or its start was never committed.
        """
        self._learn(await self._database.call(cancel_run(self.run_id, reason)))
        return self

    async def retry(self) -> AsyncRun[I, O]:
        """Go on with the run after it failed or was cancelled.

        What has completed stays, single elements of maps too. What failed, was cancelled or was
        skipped after a failure starts afresh, with all its attempts. A run under way stays as it
        is.

        Returns:
            The run itself, its `status` up to date.

        Raises:
            RunCompleted: It is completed. `restart_from` repeats steps of such a run.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        self._learn(await self._database.call(retry_run(self.run_id)))
        return self

    async def restart_from(
        self, step: AnyStep | str, *, version: int | None = None
    ) -> AsyncRun[I, O]:
        """Repeat a step of the run and all that depends on it; other steps keep their outputs.

        Steps that failed or were cancelled elsewhere in the run start afresh, too, so that the run
        can end.

        Onto another version of its flow the run goes with the steps that have ended and are not
        repeated, which have to be the same there. All others are that version's.

        Args:
            step: The step, or its slug where the flow's code is not at hand.
            version: Number of the version of its flow that the run goes on as; None is the one that
                it has.

        Returns:
            The run itself, its `status` up to date.

        Raises:
            WrongFlow: It is a step of another flow.
            StepNotFound: The flow, as the database knows it, has no such step.
            RunNotFound: The run has been deleted, or its start was never committed.
            FlowNotFound: The flow has no such version.
            FlowRetired: The version is retired.
            RunDoesNotFit: A step that has ended is not the same in the version; says which.
        """
        slug = self._slug_of(step)
        self._learn(await self._database.call(restart_run(self.run_id, slug, version)))
        return self

    async def events(self, after: str | None = None) -> AsyncGenerator[Event, None]:
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
        with self._hub.watch(self.run_id) as watch:
            looks = Looks(self._database, watch, self.flow_slug, None)
            async for event in follow(looks, follower, self._saw):
                yield event

    def on_event(
        self, callback: Callable[[Event], object], *, after: str | None = None
    ) -> AsyncSubscription:
        """Have a function called with each event, beside what goes on here.

        Args:
            callback: Called with one event at a time; the next one waits until it has returned.
            after: As for `events`.

        Returns:
            What to wait for or to close. If the function raises, it is called no more.

        Raises:
            CursorInvalid: The text is no cursor, or one of another run.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            ClientClosed: The client is closed.
        """
        return AsyncSubscription(self._hub, self, callback, after, self._saw)

    def _saw(self, progress: RunProgress) -> RunProgress:
        self._learn(progress.state)
        return progress

    def _learn(self, state: RunState) -> None:
        # What was asked for earlier may come back later.
        if not state.is_older_than(self._state):
            self._state = state
