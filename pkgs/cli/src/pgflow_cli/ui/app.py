"""The dashboard as an application: its addresses, and what it needs for as long as it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from pgflow_client import AsyncClient, PgflowError
from pgflow_client.inspection import Inspector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pgflow_cli.ui.actions import Actions
from pgflow_cli.ui.encoding import answer, answer_error
from pgflow_cli.ui.guard import Guard
from pgflow_cli.ui.hub import Hub
from pgflow_cli.ui.login import login_routes
from pgflow_cli.ui.queries import QueryInvalid
from pgflow_cli.ui.reads import Reads
from pgflow_cli.ui.sources import QueueHistory, Sources

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

    from pgflow_cli.ui.access import Access

__all__ = ["Dashboard", "make_dashboard"]

ASSETS: Final = Path(__file__).parent / "assets"
# What a page of the browser's history may be at; the page itself finds out what to show.
_PAGES: Final = ("/", "/flows", "/flows/{slug}", "/runs", "/runs/{run_id}", "/workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard that can be served.

    Attributes:
        app: The application.
        hub: What its viewers follow; closing it ends their streams.
    """

    app: Starlette
    hub: Hub


def make_dashboard(url: str, access: Access, *, version: str, label: str) -> Dashboard:
    """Make a dashboard.

    Args:
        url: The database.
        access: Who may look, and whether they may act.
        version: The version of pgflow, as it is shown.
        label: The database, as it is shown.
    """
    inspector = Inspector(url)
    client = AsyncClient(url, max_connections=3)
    hub = Hub()
    history = QueueHistory(inspector)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(inspector)
            await stack.enter_async_context(client)
            stack.push_async_callback(hub.close)
            await stack.enter_async_context(history.measuring())
            yield

    async def about(request: Request) -> Response:
        is_replica = False
        # Each page tells what is wrong with the database; here it is about the frame around them.
        with suppress(PgflowError, psycopg.Error):
            is_replica = await inspector.is_read_only()
        told = {
            "version": version,
            "database": label,
            "is_replica": is_replica,
            "may_act": access.may_act and not is_replica,
            "at": datetime.now(UTC),
        }
        return answer(told)

    async def page(request: Request) -> Response:
        return FileResponse(ASSETS / "index.html", headers={"cache-control": "no-cache"})

    async def missing(request: Request) -> Response:
        if request.url.path.startswith("/api/"):
            error = {"kind": "NotFound", "message": "there is nothing at this address"}
            return answer({"error": error}, 404)
        return FileResponse(ASSETS / "index.html", 404)

    reads = Reads(inspector, Sources(inspector, client, history), hub)
    app = Starlette(
        routes=[
            *(Route(path, page) for path in _PAGES),
            *login_routes(access),
            Route("/api/about", about),
            *reads.routes(),
            *Actions(client).routes(),
            Mount("/assets", _Assets(directory=ASSETS)),
            Route("/{path:path}", missing),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers=_handlers(),
        lifespan=lifespan,
    )
    return Dashboard(app=app, hub=hub)


class _Assets(StaticFiles):
    """Files that a browser keeps, and asks for only whether they have changed."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers["cache-control"] = "no-cache"
        return response


def _handlers() -> dict[Any, Any]:
    async def tell(request: Request, error: Exception) -> Response:
        return answer_error(error)

    async def tell_query(request: Request, error: Exception) -> Response:
        return answer({"error": {"kind": "QueryInvalid", "message": str(error)}}, 400)

    return {PgflowError: tell, psycopg.Error: tell, QueryInvalid: tell_query}
