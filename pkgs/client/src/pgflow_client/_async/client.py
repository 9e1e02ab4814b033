"""The client: starts runs and finds them again."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pgflow_client._async.bulk import Home, Share, at_first_reached, list_all, start_all
from pgflow_client._async.database import AUTO, PrepareThreshold, way_to
from pgflow_client._async.hub import Hub
from pgflow_client._async.looks import look_at
from pgflow_client._async.run import AsyncRun
from pgflow_client._async.sending import AsyncSender
from pgflow_client._functions.definition import get_definition, list_definitions
from pgflow_client._functions.listing import list_runs
from pgflow_client._functions.runs import schema_version
from pgflow_client._functions.starting import start_flow
from pgflow_client._functions.versions import name_of
from pgflow_client._input import dump_inputs, parse_run_id, slug_of
from pgflow_client._start_options import check_instant, check_options, dump_tags
from pgflow_client.errors import FlowNotFound, WrongFlow
from pgflow_client.progress import RunState

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Self, Unpack
    from uuid import UUID

    from pgflow_dsl import Flow, Job
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from pgflow_client._async.bulk import Pages
    from pgflow_client._functions.call import Call
    from pgflow_client._functions.definition import FlowDefinition
    from pgflow_client._functions.search import RunSummary
    from pgflow_client._start_options import StartArguments, StartManyArguments
    from pgflow_client.progress import RunProgress, RunStatus

__all__ = ["AsyncClient"]

I = TypeVar("I")  # noqa: E741 (input: as in Flow[I])
O = TypeVar("O")  # noqa: E741 (output)
T = TypeVar("T")


class AsyncClient(AsyncSender):
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
        self._hub = Hub(way_to(database, max_connections, prepare_threshold))

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
        await self._hub.close()

    @overload
    async def start_flow(
        self, flow: Job[..., Any, None, O], input: None = None, **options: Unpack[StartArguments]
    ) -> AsyncRun[None, O]: ...
    @overload
    async def start_flow(
        self, flow: Job[..., Any, I, O], input: I, **options: Unpack[StartArguments]
    ) -> AsyncRun[I, O]: ...
    @overload
    async def start_flow(
        self, flow: Flow[None], input: None = None, **options: Unpack[StartArguments]
    ) -> AsyncRun[None]: ...
    @overload
    async def start_flow(
        self, flow: Flow[I], input: I, **options: Unpack[StartArguments]
    ) -> AsyncRun[I]: ...
    @overload
    async def start_flow(
        self, flow: str, input: Any = None, **options: Unpack[StartArguments]
    ) -> AsyncRun[Any]: ...
    async def start_flow(
        self,
        flow: Flow[Any] | str,
        input: Any = None,
        *,
        run_id: UUID | None = None,
        idempotency_key: str | None = None,
        key_lifetime: timedelta | None = None,
        priority: int = 0,
        delay: timedelta | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> AsyncRun[Any]:
        """Start a run of a flow, in one round trip.

        Args:
            flow: The flow, or its slug where its code is not at hand.
            input: What the run starts with: a value of the flow's input type; given a slug,
                anything that has a JSON form.
            run_id: Id of the run, to start it at most once; None makes one. Never that of a run
                that was deleted: a worker may still hold a task of it.
            idempotency_key: A text of 1 to 500 characters. Where a run of the flow was started
                with it before, that run is returned, and nothing is started.
            key_lifetime: How long the key stands for this run; None is for as long as it is kept.
            priority: Runs with a higher priority have their tasks claimed first; -32768 to 32767.
            delay: How long no task of the run may be claimed. The run itself is there at once.
            tags: Names with values that have a JSON form, to find the run by.

        Returns:
            The run. On the caller's connection it is there when the caller has committed.

        Raises:
            InputInvalid: The input does not fit; names the field. Nothing was sent.
            StartOptionInvalid: The tags do not fit; names the tag. Nothing was sent.
            InputRefused: The database does not take the input for this flow.
            FlowNotFound: The database has no such flow.
            RunExists: A run with that id was started before.
            KeyInvalid: The key is empty or too long.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it. If the
                connection was lost, the run may or may not have started: give a run_id or a key,
                and start it again.
        """
        (text,) = dump_inputs(flow, [input])
        options = check_options(
            priority=priority,
            delay=delay,
            tags=tags,
            key_lifetime=key_lifetime,
            has_key=idempotency_key is not None,
        )
        slug = slug_of(flow)

        async def start(home: Home) -> AsyncRun[Any]:
            call = start_flow(slug, text, home.run_id, idempotency_key, options)
            row = await home.hub.database.call(call)
            return _run(home.hub, row.run_id, flow, row.state)

        return await at_first_reached(self._homes(slug, run_id, idempotency_key), start)

    @overload
    async def start_flows(
        self,
        flow: Job[..., Any, I, O],
        inputs: Iterable[I],
        **options: Unpack[StartManyArguments],
    ) -> list[AsyncRun[I, O]]: ...
    @overload
    async def start_flows(
        self, flow: Flow[I], inputs: Iterable[I], **options: Unpack[StartManyArguments]
    ) -> list[AsyncRun[I]]: ...
    @overload
    async def start_flows(
        self, flow: str, inputs: Iterable[Any], **options: Unpack[StartManyArguments]
    ) -> list[AsyncRun[Any]]: ...
    async def start_flows(
        self,
        flow: Flow[Any] | str,
        inputs: Iterable[Any],
        *,
        run_ids: Sequence[UUID] | None = None,
        idempotency_keys: Sequence[str | None] | None = None,
        key_lifetime: timedelta | None = None,
        priority: int = 0,
        delay: timedelta | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> list[AsyncRun[Any]]:
        """Start many runs of one flow in one transaction: all of them, or none.

        They are sent 1000 to a call. Workers see the first when the last is there; to start a very
        long list piece by piece, call this for each piece.

        Args:
            flow: The flow, or its slug.
            inputs: What each run starts with. All are checked before anything is sent.
            run_ids: Ids of the runs, one for each input; None makes them.
            idempotency_keys: Keys of the runs, one for each input, as for `start_flow`; None in
                the place of a key is a run without. Of equal keys the first one starts a run.
            key_lifetime: As for `start_flow`.
            priority: Of all the runs, as are the rest.
            delay: As for `start_flow`.
            tags: As for `start_flow`.

        Returns:
            The runs, in the order of the inputs.

        Raises:
            ValueError: There are more or fewer run_ids or idempotency_keys than inputs.
            PgflowError: As `start_flow`. No run was started.
        """
        texts = dump_inputs(flow, inputs)
        for name, given in (("run_ids", run_ids), ("idempotency_keys", idempotency_keys)):
            if given is not None and len(given) != len(texts):
                raise ValueError(f"{len(texts)} inputs need as many {name}, not {len(given)}")
        options = check_options(
            priority=priority,
            delay=delay,
            tags=tags,
            key_lifetime=key_lifetime,
            has_key=idempotency_keys is not None,
        )
        slug = slug_of(flow)

        async def start(share: Share) -> dict[int, AsyncRun[Any]]:
            started = await start_all(share, slug, texts, idempotency_keys, options)
            state = RunState("started", 0)
            return {place: _run(share.hub, run_id, flow, state) for place, run_id in started}

        runs: dict[int, AsyncRun[Any]] = {}
        for shares in self._divide(slug, len(texts), run_ids, idempotency_keys):
            runs |= await at_first_reached(shares, start)
        return [runs[place] for place in range(len(texts))]

    @overload
    async def get_run(self, run_id: UUID | str, flow: Job[..., Any, I, O]) -> AsyncRun[I, O]: ...
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
        hub, progress = await self._find(parse_run_id(run_id))
        # Whatever its version is.
        name = name_of(progress.flow_slug)
        if flow is not None and slug_of(flow) not in (name, progress.flow_slug):
            raise WrongFlow(progress.run_id, name, repr(flow))
        return _run(hub, progress.run_id, flow or name, progress.state)

    async def list_runs(
        self,
        flow: Flow[Any] | str | None = None,
        *,
        status: RunStatus | None = None,
        tags: Mapping[str, Any] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: UUID | None = None,
        page: int = 100,
    ) -> AsyncGenerator[RunSummary, None]:
        """Yield runs, the newest first. `get_run` gives a handle of one.

        Each page of them is asked for when the one before has been used, and no question takes
        long, however many runs there are: what is rare is found in several steps. Runs go by their
        ids, which tell the time of their start; where you give run ids of your own, make them
        UUIDv7 to find them by time.

        Args:
            flow: Only runs of this flow, or of the one with this slug, in all its versions; or of
                one version, such as name@2. None for all.
            status: Only runs of this status; None for all.
            tags: Only runs that have all of these tags; None for all.
            since: Only runs that were started then or later; None for all.
            until: Only runs that were started before; None for all.
            before: Only runs that come after the one with this id in the list: to go on with a
                list that was left.
            page: How many runs are asked for at a time; 1 to 1000.

        Raises:
            ValueError: There is no such status, a time has no time zone, or the page is too large
                or too small.
            StartOptionInvalid: The tags have no JSON form; names the tag.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        if not 1 <= page <= 1000:
            raise ValueError(f"a page has 1 to 1000 runs, not {page}")
        wanted = partial(
            list_runs,
            flow_slug=None if flow is None else slug_of(flow),
            status=status,
            tags=None if tags is None else dump_tags(tags),
            since=check_instant("since", since),
            until=check_instant("until", until),
            quantity=page,
        )
        async with aclosing(self._list(wanted, before)) as runs:
            async for run in runs:
                yield run

    async def get_flow(self, flow: Flow[Any] | str) -> FlowDefinition:
        """Return what a flow is, as the database has it: its steps, options and schemas.

        Of a flow with several versions that is the one that new runs take.

        Args:
            flow: The flow, or its slug; name@2, or name@1, is that version.

        Raises:
            FlowNotFound: The database has no such flow.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        slug = slug_of(flow)
        definition = await self._ask(get_definition(slug, is_current=True))
        if definition is None:
            hint = "compile the flow first"
            raise FlowNotFound(f"flow {slug} does not exist", hint, f"flow_slug={slug}")
        return definition

    async def list_flows(self) -> list[FlowDefinition]:
        """Return what flows the database has, by slug.

        Raises:
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        return await self._ask(list_definitions())

    async def schema_version(self) -> int:
        """Return the number of the newest migration that is installed in the database.

        Raises:
            SchemaMissing: pgflow is not installed there.
            DatabaseProblem: The database cannot be reached, or pgflow not used in it.
        """
        return await self._ask(schema_version())

    def _homes(self, flow_slug: str, run_id: UUID | None, key: str | None) -> Iterable[Home]:
        """Return where a run may be started: at one of these."""
        return [Home(self._hub, run_id)]

    def _divide(
        self,
        flow_slug: str,
        count: int,
        run_ids: Sequence[UUID] | None,
        keys: Sequence[str | None] | None,
    ) -> list[Iterable[Share]]:
        """Return where each of many runs may be started: a share of them at one of those places."""
        return [[Share(self._hub, range(count), run_ids)]]

    async def _find(self, run_id: UUID) -> tuple[Hub, RunProgress]:
        """Return where a run is, and how far it has come."""
        return self._hub, await look_at(self._hub.database, run_id)

    def _list(self, wanted: Pages, before: UUID | None) -> AsyncGenerator[RunSummary, None]:
        """Return all runs on the pages that are wanted."""
        return list_all(self._hub.database, wanted, before)

    async def _ask(self, call: Call[T]) -> T:
        """Ask what is the same of all runs."""
        return await self._hub.database.call(call)


def _run(hub: Hub, run_id: UUID, flow: Flow[Any] | str, state: RunState) -> AsyncRun[Any]:
    known = None if isinstance(flow, str) else flow
    return AsyncRun(hub, run_id, name_of(slug_of(flow)), known, state)
