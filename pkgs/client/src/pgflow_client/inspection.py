"""Looking into a database from a program that shows it to people. Needs the role pgflow_reader.

Each look reads a bounded number of rows and is given up after a time, so that whoever looks on
never slows down those who work.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from pgflow_client._async.database import AUTO, OwnConnections, execute
from pgflow_client._functions.definition import (
    Condition,
    FlowDefinition,
    FlowOptions,
    StepDefinition,
    get_definition,
)
from pgflow_client._functions.health import (
    IndexHealth,
    OldTransaction,
    ServerHealth,
    TableHealth,
    get_server_health,
    list_index_health,
    list_old_transactions,
    list_table_health,
)
from pgflow_client._functions.listing import list_runs
from pgflow_client._functions.overview import WorkerOverview, list_workers
from pgflow_client._functions.runs import get_run_progress, schema_version
from pgflow_client._functions.search import RunSummary, get_summary
from pgflow_client._functions.server import bound_statements, is_read_only
from pgflow_client._functions.statistics import PARTS, FlowStatistics, list_flow_statistics
from pgflow_client._functions.timeline import (
    TaskFailure,
    TaskState,
    TaskStatus,
    list_failures,
    list_first_tasks,
    list_streams,
    list_tasks,
)
from pgflow_client._functions.values import (
    ValueKind,
    ValueSizes,
    ValueText,
    get_value,
    get_value_sizes,
)
from pgflow_client._functions.workload import (
    HeldTask,
    QueueDepth,
    WorkerLoad,
    list_held_tasks,
    list_queue_depths,
)
from pgflow_client.errors import translate_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from pgflow_client._functions.call import Call
    from pgflow_client.progress import RunProgress, RunStatus

__all__ = [
    "PARTS",
    "Condition",
    "DatabaseHealth",
    "FlowDefinition",
    "FlowOptions",
    "FlowStatistics",
    "HeldTask",
    "IndexHealth",
    "Inspector",
    "OldTransaction",
    "QueueDepth",
    "RunDetails",
    "RunFilter",
    "RunPage",
    "RunSummary",
    "ServerHealth",
    "StepDefinition",
    "TableHealth",
    "TaskFailure",
    "TaskState",
    "TaskStatus",
    "ValueKind",
    "ValueSizes",
    "ValueText",
    "WorkerLoad",
    "WorkerOverview",
]

T = TypeVar("T")


class _Read(Protocol):
    async def __call__(self, call: Call[T], /) -> T: ...


_PATIENCE: Final = timedelta(seconds=5)
# Who was lost longer ago has lost its tasks to others, and is history.
_LOST_SINCE: Final = timedelta(minutes=15)
# Runs of a flow that its statistics are made of, and flows on a page of them.
_SAMPLE: Final = 2000
# How many times 10,000 runs a search looks through before it says how far it came.
_LOOKS: Final = 10
_COUNT_TO: Final = 10_000
_TASKS_OF_STEP: Final = 24
_TASKS_OF_RUN: Final = 600
_FAILURES: Final = 100
_TASKS_LOOKED_AT: Final = 100_000
_OLD: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are looked for.

    Attributes:
        flow_slug: Only those of this flow; None for all.
        status: Only those of this status; None for all.
        tags: Only those that have all of these.
    """

    flow_slug: str | None = None
    status: RunStatus | None = None
    tags: Mapping[str, Any] = field(default_factory=lambda: dict[str, Any]())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of a list of runs.

    Attributes:
        runs: The runs, the newest first.
        next: The id to go on before; None where there is no more to be found.
    """

    runs: tuple[RunSummary, ...]
    next: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """All that there is to see of a run at one moment, but for its values.

    Attributes:
        summary: The run as one of a list.
        progress: Where it and its steps stand.
        sizes: How large its values are.
        tasks: The first tasks of each of its steps.
        failures: Its latest failed attempts, the latest first.
        streams: The steps that have emitted something.
    """

    summary: RunSummary
    progress: RunProgress
    sizes: ValueSizes
    tasks: tuple[TaskState, ...]
    failures: tuple[TaskFailure, ...]
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """How a database fares.

    Attributes:
        server: The server and the database on it.
        tables: The tables of pgflow's, the largest first.
        indexes: Their B-tree indexes, the largest first.
        old_transactions: Transactions that have been open for longer than a minute.
    """

    server: ServerHealth
    tables: tuple[TableHealth, ...]
    indexes: tuple[IndexHealth, ...]
    old_transactions: tuple[OldTransaction, ...]


class Inspector:
    """Reads what a database holds and does; use it as a context manager, or close it."""

    def __init__(
        self, url: str, *, max_connections: int = 3, patience: timedelta = _PATIENCE
    ) -> None:
        """Make an inspector. Nothing is connected to before it is needed.

        Args:
            url: The database.
            max_connections: How many connections it may have at a time.
            patience: How long a look may take before it is given up.

        Raises:
            DatabaseUnreachable: The URL is not one.
        """
        self._database: Final = OwnConnections(url, most=max_connections, prepare_threshold=AUTO)
        self._bound: Final = bound_statements(round(patience.total_seconds() * 1000))

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
        """Close the connections."""
        await self._database.close()

    async def schema_version(self) -> int:
        """Return the number of the newest migration that is installed."""
        return await self._read(schema_version())

    async def is_read_only(self) -> bool:
        """Return whether the server takes no writes, as one that follows another."""
        return await self._read(is_read_only())

    async def flow_statistics(
        self, window: timedelta, *, after: str = "", page: int = 50, flow_slug: str | None = None
    ) -> tuple[FlowStatistics, ...]:
        """Return how flows have fared lately, by slug.

        Args:
            window: How far to look back, at most.
            after: Only flows whose slugs come after this one.
            page: How many flows at most.
            flow_slug: Only this flow, in all its versions, or one such as name@2; None is all.
        """
        call = list_flow_statistics(
            window, most=_SAMPLE, after=after, page=page, flow_slug=flow_slug
        )
        return tuple(await self._read(call))

    async def definition(self, slug: str, *, is_current: bool = False) -> FlowDefinition | None:
        """Return what a version is, or the one that new runs of a flow take; None for none."""
        return await self._read(get_definition(slug, is_current=is_current))

    async def find_runs(
        self,
        wanted: RunFilter,
        *,
        before: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page: int = 50,
    ) -> RunPage:
        """Find runs, the newest first, by looking at a bounded number of them.

        Args:
            wanted: Which runs.
            before: Go on from this id, which another page gave as `next`.
            since: Only runs that were started then or later; None for all.
            until: Only runs that were started before; None for all.
            page: How many at most.

        Returns:
            The page; it may hold fewer runs than asked for, or none, and yet have a `next`.
        """
        runs: list[RunSummary] = []
        place = before
        for _ in range(_LOOKS):
            call = list_runs(
                flow_slug=wanted.flow_slug,
                status=wanted.status,
                tags=json.dumps(dict(wanted.tags)) if wanted.tags else None,
                since=since,
                until=until,
                before=place,
                quantity=page - len(runs),
            )
            found = await self._read(call)
            runs += found.runs
            place = found.next
            if place is None or len(runs) == page:
                break
        return RunPage(runs=tuple(runs), next=place)

    async def run_details(self, run_id: UUID) -> RunDetails | None:
        """Return what there is to see of a run, all at one moment; None where there is none."""
        async with self._moment() as read:
            summary = await read(get_summary(run_id))
            progress = await read(get_run_progress(run_id))
            sizes = await read(get_value_sizes(run_id))
            tasks = await read(list_first_tasks(run_id, page=_TASKS_OF_STEP, most=_TASKS_OF_RUN))
            failures = await read(list_failures(run_id, page=_FAILURES, most=_COUNT_TO))
            streams = await read(list_streams(run_id))
        if summary is None or progress is None or sizes is None:
            return None
        return RunDetails(
            summary=summary,
            progress=progress,
            sizes=sizes,
            tasks=tuple(tasks),
            failures=tuple(failures),
            streams=tuple(streams),
        )

    async def tasks(
        self,
        run_id: UUID,
        step_slug: str,
        *,
        after: int = -1,
        status: TaskStatus | None = None,
        page: int = 100,
    ) -> tuple[TaskState, ...]:
        """Return tasks of a step of a run, in their order.

        Args:
            run_id: The run.
            step_slug: The step.
            after: Only tasks with a greater index.
            status: Only those of this status; None for all.
            page: How many at most.
        """
        call = list_tasks(
            run_id, step_slug, after=after, status=status, page=page, most=_TASKS_LOOKED_AT
        )
        return tuple(await self._read(call))

    async def value(
        self,
        kind: ValueKind,
        run_id: UUID,
        *,
        step_slug: str = "",
        task_index: int = 0,
        most: int,
    ) -> ValueText | None:
        """Return a value of a run; None where there is no such run, step or task.

        Args:
            kind: Which value.
            run_id: The run.
            step_slug: The step, for values of steps and tasks.
            task_index: The task, for values of tasks.
            most: A value of more bytes, as it is stored, is measured and not read.
        """
        call = get_value(kind, run_id, step_slug=step_slug, task_index=task_index, most=most)
        return await self._read(call)

    async def queue_depths(self, flows: int = 200) -> tuple[QueueDepth, ...]:
        """Return what waits of each flow.

        Args:
            flows: How many flows at most.
        """
        return tuple(await self._read(list_queue_depths(most=_COUNT_TO, flows=flows)))

    async def workers(self) -> tuple[tuple[WorkerOverview, WorkerLoad | None], ...]:
        """Return the workers that have not stopped in good order, and what each is at."""
        async with self._moment() as read:
            workers = await read(list_workers(f"{_LOST_SINCE.total_seconds()} s"))
            loads = await read(list_held_tasks(page=20, most=_COUNT_TO))
        by_id = {load.worker_id: load for load in loads}
        return tuple((worker, by_id.get(worker.worker_id)) for worker in workers)

    async def health(self) -> DatabaseHealth:
        """Return how the database fares."""
        async with self._moment() as read:
            return DatabaseHealth(
                server=await read(get_server_health()),
                tables=tuple(await read(list_table_health())),
                indexes=tuple(await read(list_index_health())),
                old_transactions=tuple(
                    await read(list_old_transactions(seconds=_OLD.total_seconds(), page=20))
                ),
            )

    async def _read(self, call: Call[T]) -> T:
        async with self._moment() as read:
            return await read(call)

    @asynccontextmanager
    async def _moment(self) -> AsyncGenerator[_Read, None]:
        """Have statements see the database as it is at one moment, none of them for too long."""
        with translate_errors():
            async with self._database.connection() as conn, conn.transaction():
                for each in self._bound:
                    await execute(conn, each)

                async def read(call: Call[T]) -> T:
                    return await execute(conn, call)

                yield read
