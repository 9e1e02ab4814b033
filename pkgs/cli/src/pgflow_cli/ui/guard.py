"""What stands before the dashboard: it turns away whom it does not know, and says what is allowed.

A browser runs pages of strangers beside this one, and all of them can send requests here. So a
request has to call the dashboard by its name, which a rebound name of a stranger does not; an
action has to come from the dashboard's own page, with a header that no form can send; and what
goes out tells the browser to run nothing that is not the dashboard's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response

from pgflow_cli.ui.access import ACTION_HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pgflow_cli.ui.access import Access

__all__ = ["POLICY", "Guard"]

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With none at all, a browser would not say either from where a form comes.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_SAFE: Final = frozenset({"GET", "HEAD"})
# What a visitor needs to show the token.
_OPEN: Final = ("/login", "/assets/")
_API: Final = "/api/"


class Guard:
    """Lets requests through to an application that may pass.

    Args:
        app: The application.
        access: What is let through.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app: Final = app
        self._access: Final = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refuse(HTTPConnection(scope), str(scope["method"]))
        await (answer or self._app)(scope, receive, send_guarded)

    def _refuse(self, request: HTTPConnection, method: str) -> Response | None:
        """Return the answer to a request that may not pass; None for one that may."""
        path = request.url.path
        if not self._access.knows_name(request.headers.get("host", "")):
            return _no(421, "this dashboard is not to be reached by that name")
        if method not in _SAFE and (reason := self._refuse_action(request.headers, path)):
            return _no(403, reason)
        if path.startswith(_API) and request.headers.get("sec-fetch-site") in _STRANGERS:
            return _no(403, "another site's page may not read this")
        if self._access.token is None or path.startswith(_OPEN) or self._has_pass(request):
            return None
        if path.startswith(_API):
            return _no(401, "the token is missing or wrong")
        return RedirectResponse("/login", status_code=303)

    def _refuse_action(self, headers: Headers, path: str) -> str | None:
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return "another site's page may not do this"
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return "another site's page may not do this"
        if path == "/login":
            return None
        if not self._access.may_act:
            return "this dashboard only shows; start it with --allow-actions to act"
        if ACTION_HEADER not in headers:
            return f"an action needs the header {ACTION_HEADER}"
        return None

    def _has_pass(self, request: HTTPConnection) -> bool:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._access.accepts_token(given.strip()):
            return True
        return self._access.accepts_pass(request.cookies.get(self._access.cookie, ""))


_STRANGERS: Final = frozenset({"cross-site", "same-site"})


def _no(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"kind": "Refused", "message": message}}, status_code=status)
