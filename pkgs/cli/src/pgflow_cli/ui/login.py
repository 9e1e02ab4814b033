"""Showing the token: by the address that the command printed, or on a page that asks for it."""

from __future__ import annotations

import asyncio
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from pgflow_cli.ui.access import Access

__all__ = ["login_routes"]

# Seconds that a wrong token costs whoever tries.
_PAUSE: Final = 0.5
_LONGEST: Final = 1000

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pgflow</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/css/base.css">
<link rel="stylesheet" href="/assets/css/parts.css">
</head>
<body>
<main class="login">
<h1>pgflow</h1>
<form method="post" action="/login">
<label>Token<input name="token" type="password" autocomplete="current-password" autofocus></label>
<p class="hint">{hint}</p>
<button class="primary">Open the dashboard</button>
</form>
</main>
</body>
</html>
"""
_HINT: Final = "The command that started this dashboard has printed it."
_WRONG: Final = "That is not the token. The command that started this dashboard has printed it."


def login_routes(access: Access) -> list[Route]:
    """Make the routes by which visitors show the token."""

    async def login(request: Request) -> Response:
        given = request.query_params.get("token")
        if request.method == "POST":
            form = parse_qs((await _read(request)).decode(errors="replace"))
            given = form.get("token", [""])[0].strip()
        if given is None:
            return HTMLResponse(_PAGE.format(hint=escape(_HINT)))
        if not access.accepts_token(given):
            await asyncio.sleep(_PAUSE)
            return HTMLResponse(_PAGE.format(hint=escape(_WRONG)), status_code=403)
        # To an address without the token, which would stay in the history and be copied.
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            access.cookie,
            access.pass_value,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    return [Route("/login", login, methods=["GET", "POST"])]


async def _read(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            return b""
    return body
