"""What people do from the pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from pgflow_cli.ui.encoding import answer
from pgflow_cli.ui.queries import QueryInvalid, read_body

if TYPE_CHECKING:
    from pgflow_client import AsyncClient
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Actions"]


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
        ]

    async def _start(self, request: Request) -> Response:
        given = await read_body(request)
        run = await self._client.start_flow(
            request.path_params["flow_slug"], _input(given), priority=_whole(given, "priority")
        )
        return answer({"run_id": run.run_id}, 201)


def _input(given: dict[str, Any]) -> Any:
    """Return the input of a run: a text of JSON, so that no browser rounds its numbers."""
    text = given.get("input", "null")
    if not isinstance(text, str):
        raise QueryInvalid("the input has to be a text of JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryInvalid(f"the input is not JSON: {error}") from None


def _whole(given: dict[str, Any], name: str) -> int:
    value = given.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not -32768 <= value <= 32767:
        raise QueryInvalid(f"{name} has to be a whole number from -32768 to 32767")
    return value
