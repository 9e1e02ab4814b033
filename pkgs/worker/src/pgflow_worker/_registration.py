"""A worker's row in the database."""

import asyncio
import os
import socket
from typing import Final

from pgflow_client.worker_protocol import (
    AsyncConn,
    Link,
    mark_worker_stopped,
    register_worker,
    track_worker_function,
)

from pgflow_worker._ending import end_task
from pgflow_worker.options import WorkerOptions


class Registration:
    """Makes the row, makes it again where it was lost, and marks it at the end.

    Args:
        worker_id: The worker.
        flow_slugs: The flows that it serves.
        options: How it behaves.
        link: The connection to make it again with.
    """

    def __init__(
        self, worker_id: str, flow_slugs: list[str], options: WorkerOptions, link: Link
    ) -> None:
        self._worker_id: Final = worker_id
        self._flow_slugs: Final = flow_slugs
        self._options: Final = options
        self._link: Final = link
        self._renewing: asyncio.Task[None] | None = None

    async def make(self, conn: AsyncConn) -> None:
        """Register the worker."""
        place = self._options.function_name or f"{socket.gethostname()}:{os.getpid()}"
        lease = int(self._options.lease.total_seconds())
        await register_worker(conn, self._worker_id, self._flow_slugs, place, lease)

    async def track_function(self, conn: AsyncConn) -> None:
        """Have the database keep workers of this function up, where it is one."""
        if self._options.function_name is not None:
            await track_worker_function(conn, self._options.function_name, self._flow_slugs)

    def renew(self) -> None:
        """Register the worker again, for the database has forgotten it."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._link.call(self.make))

    async def settle(self) -> None:
        """Renew no more."""
        if self._renewing is not None:
            await end_task(self._renewing)

    async def mark_stopped(self) -> None:
        """Say that the worker has stopped."""
        await self._link.call(lambda conn: mark_worker_stopped(conn, self._worker_id))
