"""What the pages read: once, or as a stream of events for as long as they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast, get_args

from pgflow_client import FlowNotFound, RunNotFound
from pgflow_client.inspection import TaskStatus, ValueKind
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pgflow_cli.ui.encoding import answer
from pgflow_cli.ui.queries import QueryInvalid, RunQuery, number, one_of, run_id_of

if TYPE_CHECKING:
    from pgflow_client.inspection import Inspector
    from starlette.requests import Request

    from pgflow_cli.ui.hub import Hub, Source
    from pgflow_cli.ui.sources import Sources

__all__ = ["Reads"]

# Bytes of a value, as it is stored, that a page shows, and that it saves to a file.
_SHOWN: Final = 500_000
_SAVED: Final = 50_000_000
_FLOWS: Final = 50
_TASKS: Final = 100


class Reads:
    """The addresses that are read.

    Args:
        inspector: Reads once.
        sources: Read again and again.
        hub: Shares what is read among all who follow it.
    """

    def __init__(self, inspector: Inspector, sources: Sources, hub: Hub) -> None:
        self._inspector: Final = inspector
        self._sources: Final = sources
        self._hub: Final = hub

    def routes(self) -> list[Route]:
        """Make the routes."""
        step = "/api/runs/{run_id}/steps/{step_slug}"
        return [
            Route("/api/live/flows", self._live_flows),
            Route("/api/live/flows/{flow_slug}", self._live_flow),
            Route("/api/live/runs", self._live_runs),
            Route("/api/live/runs/{run_id}", self._live_run),
            Route("/api/live/runs/{run_id}/steps/{step_slug}/items", self._live_items),
            Route("/api/live/workers", self._live_workers),
            Route("/api/flows", self._flow_slugs),
            Route("/api/flows/{flow_slug}", self._flow),
            Route("/api/runs", self._runs),
            Route(f"{step}/tasks", self._tasks),
            Route("/api/runs/{run_id}/value", self._value),
        ]

    async def _live_flows(self, request: Request) -> Response:
        after = request.query_params.get("after", "")
        return self._stream(f"flows {after}", lambda: self._sources.flows(after, _FLOWS))

    async def _live_flow(self, request: Request) -> Response:
        slug = request.path_params["flow_slug"]
        return self._stream(f"flow {slug}", lambda: self._sources.flow(slug))

    async def _live_runs(self, request: Request) -> Response:
        query = RunQuery.read(request.query_params)
        return self._stream(f"runs {request.url.query}", lambda: self._sources.runs(query))

    async def _live_run(self, request: Request) -> Response:
        run_id = run_id_of(request)
        return self._stream(f"run {run_id}", lambda: self._sources.run(run_id))

    async def _live_items(self, request: Request) -> Response:
        run_id, slug = run_id_of(request), request.path_params["step_slug"]
        return self._stream(f"items {run_id} {slug}", lambda: self._sources.items(run_id, slug))

    async def _live_workers(self, request: Request) -> Response:
        return self._stream("workers", self._sources.workers)

    async def _flow_slugs(self, request: Request) -> Response:
        depths = await self._inspector.queue_depths()
        return answer([depth.flow_slug for depth in depths])

    async def _flow(self, request: Request) -> Response:
        slug = request.path_params["flow_slug"]
        definition = await self._inspector.definition(slug)
        if definition is None:
            raise FlowNotFound(
                f"flow {slug!r} does not exist", "a worker that serves it defines it"
            )
        return answer(definition)

    async def _runs(self, request: Request) -> Response:
        query = RunQuery.read(request.query_params)
        page = await self._inspector.find_runs(
            query.wanted, before=query.before, since=query.since, until=query.until
        )
        return answer(page)

    async def _tasks(self, request: Request) -> Response:
        given = request.query_params
        status = one_of(given.get("status"), get_args(TaskStatus))
        tasks = await self._inspector.tasks(
            run_id_of(request),
            request.path_params["step_slug"],
            after=number(given.get("after"), -1),
            status=cast("TaskStatus | None", status),
            page=_TASKS,
        )
        return answer(tasks)

    async def _value(self, request: Request) -> Response:
        given = request.query_params
        kind = one_of(given.get("kind"), get_args(ValueKind))
        if kind is None:
            raise QueryInvalid("say which value is wanted")
        is_saved = "save" in given
        value = await self._inspector.value(
            cast("ValueKind", kind),
            run_id_of(request),
            step_slug=given.get("step", ""),
            task_index=number(given.get("index"), 0),
            most=_SAVED if is_saved else _SHOWN,
        )
        if value is None:
            raise RunNotFound("there is no such value", "its run may have been deleted")
        if not is_saved:
            return answer(value)
        if value.text is None:
            raise QueryInvalid("this value is too large for a page; read it with the client")
        headers = {"content-disposition": f'attachment; filename="{kind}.json"'}
        return Response(value.text, media_type="application/json", headers=headers)

    def _stream(self, key: str, source: Source) -> Response:
        return StreamingResponse(
            self._hub.follow(key, source),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
