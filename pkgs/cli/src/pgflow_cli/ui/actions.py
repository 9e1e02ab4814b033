"""What people do from the pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from pgflow_cli.ui.encoding import answer
from pgflow_cli.ui.queries import QueryInvalid, read_body, run_id_of

if TYPE_CHECKING:
    from pgflow_client import AsyncClient
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Actions"]

_LONGEST: Final = 500


class Actions:
    """The addresses that change something; none of them is read by GET.

    Args:
        client: Acts.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client: Final = client

    def routes(self) -> list[Route]:
        """Make the routes."""
        return [
            Route("/api/flows/{flow_slug}/runs", self._start, methods=["POST"]),
            Route("/api/runs/{run_id}/cancel", self._cancel, methods=["POST"]),
            Route("/api/runs/{run_id}/retry", self._retry, methods=["POST"]),
            Route("/api/runs/{run_id}/restart", self._restart, methods=["POST"]),
        ]

    async def _start(self, request: Request) -> Response:
        given = await read_body(request)
        run = await self._client.start_flow(
            request.path_params["flow_slug"], _input(given), priority=_whole(given, "priority")
        )
        return answer({"run_id": run.run_id}, 201)

    async def _cancel(self, request: Request) -> Response:
        given = await read_body(request)
        run = await self._client.get_run(run_id_of(request))
        await run.cancel(_text(given, "reason"))
        return answer({"status": run.status})

    async def _retry(self, request: Request) -> Response:
        await read_body(request)
        run = await self._client.get_run(run_id_of(request))
        await run.retry()
        return answer({"status": run.status})

    async def _restart(self, request: Request) -> Response:
        given = await read_body(request)
        step = _text(given, "step")
        if not step:
            raise QueryInvalid("say from which step")
        run = await self._client.get_run(run_id_of(request))
        await run.restart_from(step)
        return answer({"status": run.status})


def _input(given: dict[str, Any]) -> Any:
    """Return the input of a run: a text of JSON, so that no browser rounds its numbers."""
    text = given.get("input", "null")
    if not isinstance(text, str):
        raise QueryInvalid("the input has to be a text of JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryInvalid(f"the input is not JSON: {error}") from None


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
        raise QueryInvalid(f"{name} has to be a text of at most {_LONGEST} characters")
    return value


def _whole(given: dict[str, Any], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not -32768 <= value <= 32767:
        raise QueryInvalid(f"{name} has to be a whole number from -32768 to 32767")
    return value
