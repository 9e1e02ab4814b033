"""A worker behind a URL: it runs when it is called, and ends when there is nothing to do.

For platforms that start a process for a request and end it some time after: nothing runs, and
nothing costs, while no flow has work. `pgflow.ensure_workers` in the database does the calling.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

from pgflow_dsl import Flow

from pgflow_worker.errors import WorkerOptionsInvalid
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry
from pgflow_worker.worker import Lifespan, Worker

__all__ = ["WorkerApp"]

logger: Final = logging.getLogger("pgflow.worker")

_Scope: TypeAlias = MutableMapping[str, Any]
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]

_RUN_FOR: Final = timedelta(minutes=5)
_IDLE_TIMEOUT: Final = timedelta(seconds=10)


class WorkerApp:
    """An ASGI application that runs a worker when it is called.

    `POST` to any path with `Authorization: Bearer <secret>` starts a worker, unless one runs. `GET`
    of `/health` and `/ready` at the end of any path need no secret and tell nothing but that.

    Args:
        flows: The flows to serve.
        database_url: URL or connection string of the database.
        function_name: Its name in `pgflow.worker_functions`, by which the database calls it.
        secret: What callers have to send.
        holds: Whether the answer comes when the worker has ended. Most platforms give a process no
            time between requests, so it does by default. False answers at once.
        run_for: How long the worker serves, its drain not included; has to fit into the platform's
            longest request.
        idle_timeout: How long it stays when there is nothing to do.
        options: How it behaves otherwise.
        lifespan: As for `Worker`.

    Raises:
        FlowsInvalid: There is no flow, or two have one slug.
        WorkerOptionsInvalid: The secret is empty, or an option is out of its range.
    """

    def __init__(
        self,
        flows: Iterable[Flow[Any]],
        database_url: str,
        *,
        function_name: str,
        secret: str,
        holds: bool = True,
        run_for: timedelta = _RUN_FOR,
        idle_timeout: timedelta = _IDLE_TIMEOUT,
        options: WorkerOptions | None = None,
        lifespan: Lifespan | None = None,
    ) -> None:
        if not secret:
            raise WorkerOptionsInvalid("an empty secret would let everybody in")
        self._flows: Final = Registry(flows).flows
        self._database_url: Final = database_url
        self._authorization: Final = f"Bearer {secret}".encode()
        self._holds: Final = holds
        self._lifespan: Final = lifespan
        self._options: Final = replace(
            options or WorkerOptions(),
            function_name=function_name,
            run_for=run_for,
            idle_timeout=idle_timeout,
        )
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_ending = False

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer a request, or follow the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, answer = await self._answer(scope)
            await _respond(send, status, answer)
        else:
            raise ValueError(f"a worker does not speak {scope['type']}")

    async def _answer(self, scope: _Scope) -> tuple[int, dict[str, object]]:
        last = scope["path"].rstrip("/").rpartition("/")[2]
        if scope["method"] in {"GET", "HEAD"}:
            if last not in {"health", "ready"}:
                return 404, {"error": "not found"}
            is_well = last == "health" or not self._is_ending
            return (200, {"status": "ok"}) if is_well else (503, {"status": "ending"})
        if scope["method"] != "POST":
            return 405, {"error": "method not allowed"}
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1 or not hmac.compare_digest(given[0], self._authorization):
            return 401, {"error": "unauthorized"}
        return await self._start()

    async def _start(self) -> tuple[int, dict[str, object]]:
        """Start a worker, unless one runs."""
        if self._is_ending:
            return 503, {"status": "ending"}
        if self._worker is not None and self._running is not None and not self._running.done():
            return 200, {"status": "running", "worker_id": self._worker.worker_id}
        worker = self._worker = Worker(
            self._flows, self._database_url, self._options, lifespan=self._lifespan
        )
        running = self._running = asyncio.create_task(self._run(worker))
        # It has been told already where nobody waits for it.
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        answer: dict[str, object] = {"worker_id": worker.worker_id}
        if not self._holds:
            return 202, {"status": "started", **answer}
        # A caller that goes away does not take the worker with it.
        await asyncio.wait({running})
        if running.cancelled() or running.exception() is not None:
            return 500, {"status": "failed", **answer}
        return 200, {"status": "stopped", **answer}

    async def _run(self, worker: Worker) -> None:
        try:
            await worker.run()
        except Exception as error:
            # Not for the caller: it may tell of the database.
            logger.error("worker %s has failed: %s", worker.worker_id, error, exc_info=error)
            raise

    async def _live(self, receive: _Receive, send: _Send) -> None:
        """Let the worker drain before the server ends."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._is_ending = True
                if self._worker is not None and self._running is not None:
                    self._worker.drain()
                    await asyncio.wait({self._running})
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _respond(send: _Send, status: int, answer: dict[str, object]) -> None:
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD, POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
