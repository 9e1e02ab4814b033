"""The dashboard as a server: where it listens, and an end that no viewer holds up."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from pgflow_cli.errors import AddressTaken

if TYPE_CHECKING:
    from collections.abc import Generator

    from pgflow_cli.ui.app import Dashboard

__all__ = ["DEFAULT_PORT", "DashboardServer", "address_of", "listen"]

DEFAULT_PORT: Final = 8420
# Ports after the usual one that are tried where nobody asked for a certain one.
_TRIES: Final = 20
# How long answers under way may take when the server ends, in seconds.
_PATIENCE: Final = 2


def listen(host: str, port: int | None) -> socket.socket:
    """Open the socket to listen on.

    Args:
        host: The address.
        port: The port, 0 for any; None for the usual one, or one of the next where it is taken.

    Raises:
        AddressTaken: Something else listens there, or the address is not this machine's.
    """
    ports = range(DEFAULT_PORT, DEFAULT_PORT + _TRIES) if port is None else [port]
    problem: OSError | None = None
    for each in ports:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, each, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            return _bound(socket.socket(family, kind, protocol), address)
        except OSError as error:
            problem = error
    reason = problem.strerror if problem is not None else None
    raise AddressTaken(host, port if port is not None else DEFAULT_PORT, reason or "no address")


def address_of(listener: socket.socket, host: str) -> str:
    """Return the address of the page, as people open it on this machine."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class DashboardServer:
    """Serves a dashboard until it is told to end.

    Args:
        dashboard: What to serve.
        listener: The socket to listen on.
    """

    def __init__(self, dashboard: Dashboard, listener: socket.socket) -> None:
        self._dashboard: Final = dashboard
        self._listener: Final = listener
        config = uvicorn.Config(
            dashboard.app,
            log_level="warning",
            # The log of addresses would keep the token.
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        self._server: Final = _Server(config)

    async def run(self) -> None:
        """Serve until `end` is called."""
        await self._server.serve(sockets=[self._listener])

    async def run_until_signal(self) -> None:
        """Serve until SIGTERM or SIGINT; the second one does not wait for anything."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        try:
            await self.run()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def end(self) -> None:
        """Have the server end: streams end at once, other answers are finished."""
        if self._server.should_exit:
            self._server.force_exit = True
        self._server.should_exit = True
        self._dashboard.hub.end_streams()


class _Server(uvicorn.Server):
    """One that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _bound(listener: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # From now on, so that whoever comes before it is served waits for that.
        listener.listen()
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(False)
    return listener
