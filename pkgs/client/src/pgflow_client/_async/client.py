"""The client: starts runs and finds them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from pgflow_client._async.database import (
    AUTO,
    CallersConnection,
    CallersPool,
    OwnConnections,
    PrepareThreshold,
)
from pgflow_client._async.looks import look_at
from pgflow_client._async.run import AsyncRun
from pgflow_client._async.watcher import Watcher
from pgflow_client._functions.runs import schema_version, start_flow, start_flows
from pgflow_client._input import check_priority, dump_inputs, parse_run_id, slug_of
from pgflow_client.errors import WrongFlow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from pgflow_dsl import Flow

    from pgflow_client._async.database import Database
    from pgflow_client.progress import RunStatus

__all__ = ["AsyncClient"]

I = TypeVar("I")  # noqa: E741 (input: as in Flow[I])

# Inputs of one call: enough that calls cost nothing, few enough that none is huge.
_BATCH: Final = 1000


class AsyncClient:
    """Starts runs and finds them again; use it as a context manager, or close it.

    Nothing is opened before it is needed. All tasks of one event loop may share a client.
    """

    def __init__(
        self,
        database: str | AsyncConnectionPool[Any] | AsyncConnection[Any],
        *,
        max_connections: int = 4,
        prepare_threshold: PrepareThreshold = AUTO,
    ) -> None:
        """Make a client.

        Args:
            database: Where the runs are. A URL or connection string: the client has a few
                connections of its own. A pool: the client borrows from it, and opens one
                connection beside it while somebody waits for a run. A connection: everything runs
                on it, inside of its transaction where one is open; the client commits nothing
                that it did not begin, and waits by looking again and again.
            max_connections: How many connections it may have to a URL at a time; one more listens
                while somebody waits for a run.
            prepare_threshold: After how many uses of a statement it is prepared on a connection to
                a URL. None never prepares. "auto" is 5, and None where a pooler is found before
                the server, which may lose what is prepared.

        Raises:
            DatabaseUnreachable: The URL is not one. Nothing is connected to before it is needed.
        """
        self._database = _reach(database, max_connections, prepare_threshold)
        self._watcher = Watcher(self._database) if self._database.can_listen else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the client's own connections. Runs go on; their handles are of no use any more."""
        if self._watcher is not None:
            await self._watcher.close()
        await self._database.close()

    @overload
    async def start_flow(
        self, flow: Flow[None], input: None = None, *, run_id: UUID | None = None, priority: int = 0
    ) -> AsyncRun[None]: ...
    @overload
    async def start_flow(
        self, flow: Flow[I], input: I, *, run_id: UUID | None = None, priority: int = 0
    ) -> AsyncRun[I]: ...
    @overload
    async def start_flow(
        self, flow: str, input: Any = None, *, run_id: UUID | None = None, priority: int = 0
    ) -> AsyncRun[Any]: ...
    async def start_flow(
        self,
        flow: Flow[Any] | str,
        input: Any = None,
        *,
        run_id: UUID | None = None,
        priority: int = 0,
    ) -> AsyncRun[Any]:
        """Start a run of a flow, in one round trip.

        Args:
            flow: The flow, or its slug where its code is not at hand.
            input: What the run starts with: a value of the flow's input type; given a slug,
                anything that has a JSON form.
            run_id: Id of the run, to start it at most once; None makes one.
            priority: Runs with a higher priority have their tasks claimed first; -32768 to 32767.

        Returns:
            The run. On the caller's connection it is there when the caller has committed.

        Raises:
            InputInvalid: The input does not fit; names the field. Nothing was sent.
            InputRefused: The database does not take the input for this flow.
            FlowNotFound: The database has no such flow.
            RunExists: A run with that id was started before.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it. If the
                connection was lost, the run may or may not have started: give a run_id to find out.
        """
        (text,) = dump_inputs(flow, [input])
        slug = slug_of(flow)
        call = start_flow(slug, text, run_id, check_priority(priority))
        row = await self._database.call(call)
        return self._run(row.run_id, flow, row.status)

    @overload
    async def start_flows(
        self,
        flow: Flow[I],
        inputs: Iterable[I],
        *,
        run_ids: Sequence[UUID] | None = None,
        priority: int = 0,
    ) -> list[AsyncRun[I]]: ...
    @overload
    async def start_flows(
        self,
        flow: str,
        inputs: Iterable[Any],
        *,
        run_ids: Sequence[UUID] | None = None,
        priority: int = 0,
    ) -> list[AsyncRun[Any]]: ...
    async def start_flows(
        self,
        flow: Flow[Any] | str,
        inputs: Iterable[Any],
        *,
        run_ids: Sequence[UUID] | None = None,
        priority: int = 0,
    ) -> list[AsyncRun[Any]]:
        """Start many runs of one flow in one transaction: all of them, or none.

        They are sent 1000 to a call. Workers see the first when the last is there; to start a very
        long list piece by piece, call this for each piece.

        Args:
            flow: The flow, or its slug.
            inputs: What each run starts with. All are checked before anything is sent.
            run_ids: Ids of the runs, one for each input; None makes them.
            priority: Of all the runs.

        Returns:
            The runs, in the order of the inputs.

        Raises:
            ValueError: There are more or fewer run_ids than inputs.
            PgflowError: As `start_flow`. No run was started.
        """
        texts = dump_inputs(flow, inputs)
        if run_ids is not None and len(run_ids) != len(texts):
            raise ValueError(f"{len(texts)} inputs need as many run_ids, not {len(run_ids)}")
        slug, checked = slug_of(flow), check_priority(priority)
        calls = [
            start_flows(
                slug,
                texts[place : place + _BATCH],
                None if run_ids is None else run_ids[place : place + _BATCH],
                checked,
            )
            for place in range(0, len(texts), _BATCH)
        ]
        # A single call is a transaction by itself, and saves the round trips around it.
        if len(calls) == 1:
            started = [await self._database.call(calls[0])]
        else:
            started = await self._database.call_all(calls)
        return [self._run(run_id, flow, "started") for batch in started for run_id in batch]

    @overload
    async def get_run(self, run_id: UUID | str, flow: Flow[I]) -> AsyncRun[I]: ...
    @overload
    async def get_run(self, run_id: UUID | str, flow: None = None) -> AsyncRun[Any]: ...
    async def get_run(self, run_id: UUID | str, flow: Flow[Any] | None = None) -> AsyncRun[Any]:
        """Find a run again.

        Args:
            run_id: Its id.
            flow: Its flow, for a typed handle.

        Raises:
            RunNotFound: There is no such run.
            WrongFlow: It is a run of another flow.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        progress = await look_at(self._database, parse_run_id(run_id))
        if flow is not None and flow.slug != progress.flow_slug:
            raise WrongFlow(progress.run_id, progress.flow_slug, repr(flow))
        return self._run(progress.run_id, flow or progress.flow_slug, progress.status)

    async def schema_version(self) -> int:
        """Return the number of the newest migration that is installed in the database.

        Raises:
            SchemaMissing: pgflow is not installed there.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        return await self._database.call(schema_version())

    def _run(self, run_id: UUID, flow: Flow[Any] | str, status: RunStatus) -> AsyncRun[Any]:
        known = None if isinstance(flow, str) else flow
        return AsyncRun(self._database, self._watcher, run_id, slug_of(flow), known, status)


def _reach(
    database: str | AsyncConnectionPool[Any] | AsyncConnection[Any],
    max_connections: int,
    prepare_threshold: PrepareThreshold,
) -> Database:
    if isinstance(database, str):
        if max_connections < 1:
            raise ValueError(f"max_connections is 1 or more, not {max_connections}")
        return OwnConnections(database, most=max_connections, prepare_threshold=prepare_threshold)
    if isinstance(database, AsyncConnectionPool):
        return CallersPool(database)
    given: Any = database
    if not isinstance(given, AsyncConnection):
        kinds = "a URL, an AsyncConnectionPool or an AsyncConnection"
        raise TypeError(f"AsyncClient takes {kinds}, not {type(given).__name__}")
    return CallersConnection(database)
