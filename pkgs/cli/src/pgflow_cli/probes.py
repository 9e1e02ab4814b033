"""HTTP for those who watch over a worker: health, readiness, and metrics for Prometheus.

It answers from threads of its own, so that a handler that blocks the loop does not get its worker
killed.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final

from pgflow_cli.errors import PortUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pgflow_worker import Worker

__all__ = ["Answer", "Places", "health_answer", "health_of", "serving_probes"]

logger: Final = logging.getLogger("pgflow.worker")

_JSON: Final = "application/json"
# A client that sends nothing does not keep its thread for longer, in seconds.
_PATIENCE: Final = 10.0
# How soon a server notices that it is to end, in seconds.
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request gets.

    Attributes:
        status: The HTTP status.
        body: The body.
        content_type: What it is.
    """

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where probes are answered.

    Attributes:
        host: The address to listen on.
        health_port: For /health and /ready; None for nowhere. May be that of the metrics.
        metrics_port: For /metrics.
    """

    host: str
    health_port: int | None
    metrics_port: int | None


def health_answer(is_well: bool, **more: object) -> Answer:
    """Answer a probe: 200 if it is well, else 503."""
    said = {"status": "ok" if is_well else "unavailable", **more}
    return Answer(
        status=200 if is_well else 503, body=json.dumps(said).encode(), content_type=_JSON
    )


def health_of(workers: Sequence[Worker]) -> dict[str, Callable[[], Answer]]:
    """Return what answers /health and /ready for the worker of this process.

    Args:
        workers: The worker; none before it is made.
    """

    def answer_health() -> Answer:
        return health_answer(all(worker.health().is_alive for worker in workers))

    def answer_readiness() -> Answer:
        if not workers:
            return health_answer(False, state="starting")
        health = workers[0].health()
        return health_answer(health.is_ready, state=health.state, held=health.held)

    return {"/health": answer_health, "/ready": answer_readiness}


_NOT_FOUND: Final = Answer(status=404, body=b'{"error": "not found"}', content_type=_JSON)


@contextmanager
def serving_probes(
    places: Places, health: Mapping[str, Callable[[], Answer]], metrics: Callable[[], Answer]
) -> Generator[None]:
    """Answer probes for as long as the context lasts.

    Args:
        places: Where.
        health: What answers /health and /ready, by path; called from threads.
        metrics: What answers /metrics; called from threads.

    Raises:
        PortUnusable: A port is taken, or not to be had.
    """
    routes: dict[int, dict[str, Callable[[], Answer]]] = {}
    if places.health_port is not None:
        routes.setdefault(places.health_port, {}).update(health)
    if places.metrics_port is not None:
        routes.setdefault(places.metrics_port, {})["/metrics"] = metrics
    servers: list[_Server] = []
    try:
        for port, answers in routes.items():
            servers.append(_open(places.host, port, answers))
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _open(host: str, port: int, answers: Mapping[str, Callable[[], Answer]]) -> _Server:
    try:
        server = _Server(host, port, answers)
    except OSError as error:
        raise PortUnusable(host, port, error.strerror or str(error)) from error
    threading.Thread(
        target=server.serve_forever, args=(_POLL,), name="pgflow-probes", daemon=True
    ).start()
    logger.info("http://%s:%d answers %s", host, server.server_port, ", ".join(answers))
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, answers: Mapping[str, Callable[[], Answer]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.answers: Final = answers
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Not that of HTTPServer, which asks the name service who it is.
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        logger.debug("probe: " + format, *args)

    def _answer(self, *, with_body: bool) -> None:
        assert isinstance(self.server, _Server)
        find = self.server.answers.get(self.path.partition("?")[0])
        answer = _NOT_FOUND if find is None else find()
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)
