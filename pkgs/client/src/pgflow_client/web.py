"""Runs for browsers, with Starlette or FastAPI: events and streams as Server-Sent Events.

Needs the extra `pgflow-client[web]`. With other frameworks send what `AsyncRun.sse` or `Run.sse`
yields.

An open page holds its response open. Give the server an end to its patience when it stops, such as
`uvicorn --timeout-graceful-shutdown 3`; browsers come back by themselves and lose nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from starlette.requests import Request  # noqa: TC002 (FastAPI reads it from the annotations)
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from pgflow_client._async.client import AsyncClient
from pgflow_client._input import parse_run_id
from pgflow_client.errors import (
    ClientClosed,
    CursorInvalid,
    DatabaseProblem,
    RunNotFound,
    WrongFlow,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, MutableMapping

    from pgflow_dsl import AnyStep

    from pgflow_client._async.run import AsyncRun

__all__ = ["Authorize", "Endpoint", "sse_endpoint", "sse_response"]

Authorize: TypeAlias = "Callable[[Request, UUID], Awaitable[bool]]"
"""Tells whether whoever sent a request may see a run."""
Endpoint: TypeAlias = "Callable[[Request], Awaitable[Response]]"
"""What a route of Starlette or FastAPI calls."""

_HEARTBEAT: Final = timedelta(seconds=15)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # nginx would collect what it is sent.
    "X-Accel-Buffering": "no",
}


def sse_endpoint(
    client: AsyncClient | Callable[[Request], AsyncClient],
    *,
    authorize: Authorize,
    streams: Iterable[AnyStep | str] = (),
    heartbeat: timedelta = _HEARTBEAT,
) -> Endpoint:
    """Make an endpoint of a path with `{run_id}` in it, for a `Route` of Starlette.

    With FastAPI it is `app.add_route(path, sse_endpoint(...))`. All requests share the client, and
    so one listening connection. It answers 403 to whom `authorize` refuses, 404 where there is no
    such run, 400 to a `Last-Event-ID` that is none, 204 where all has been told, and 503 while
    there is no database.

    Args:
        client: The client, or a function that returns it.
        authorize: Called with each request and the id of the run, before anything is told of it,
            even whether it exists. Only what it answers with true is served. It may as well raise
            an exception that the framework answers.
        streams: Steps whose items are told, too, by themselves or their slugs. Of steps themselves,
            runs of other flows are not served.
        heartbeat: How often there is a comment while nothing else is to be told.
    """
    followed = tuple(streams)

    async def endpoint(request: Request) -> Response:
        try:
            run_id = _run_id_of(request)
            if not await authorize(request, run_id):
                return PlainTextResponse("this run is not yours to see", 403)
            chosen = client if isinstance(client, AsyncClient) else client(request)
            run = await chosen.get_run(run_id)
            return await sse_response(request, run, streams=followed, heartbeat=heartbeat)
        except (RunNotFound, WrongFlow):
            return PlainTextResponse("there is no such run", 404)
        except DatabaseProblem:
            return PlainTextResponse("the database cannot be reached", 503)

    return endpoint


async def sse_response(
    request: Request,
    run: AsyncRun[Any],
    *,
    streams: Iterable[AnyStep | str] = (),
    heartbeat: timedelta = _HEARTBEAT,
) -> Response:
    """Return the response that tells of a run, for an endpoint of your own.

    Whether the request may see the run is for the endpoint to find out.

    Args:
        request: Its header `Last-Event-ID`, or its query's `after`, says where to go on.
        run: The run.
        streams: Steps whose items are told, too, by themselves or their slugs.
        heartbeat: How often there is a comment while nothing else is to be told.

    Raises:
        WrongFlow: A step is one of another flow.
        StepNotFound: The flow, as the database knows it, has no such step.
        RunNotFound: The run has been deleted.
    """
    after = request.headers.get("last-event-id") or request.query_params.get("after")
    try:
        texts = run.sse(streams=streams, after=after or None, heartbeat=heartbeat)
        first = await anext(texts, None)
    except CursorInvalid as error:
        return PlainTextResponse(str(error), 400)
    if first is None:
        # The one answer after which a browser does not come back.
        return Response(status_code=204)
    return _EventStream(_whole(first, texts), media_type="text/event-stream", headers=_HEADERS)


class _EventStream(StreamingResponse):
    """A response that ends when its reader has gone, also while there is nothing to send."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        sending = asyncio.ensure_future(self.stream_response(send))
        leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
        both = {sending, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in both:
                each.cancel()
            await asyncio.wait(both)
        if not sending.cancelled():
            sending.result()


async def _whole(first: str, texts: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    async with aclosing(texts):
        yield first
        try:
            async for text in texts:
                yield text
        except (RunNotFound, ClientClosed):
            # A browser that comes back is told why.
            return


def _run_id_of(request: Request) -> UUID:
    run_id: UUID | str = request.path_params["run_id"]
    return parse_run_id(run_id)
