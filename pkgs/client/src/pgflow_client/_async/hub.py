"""What a client and the handles that it made have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow_client._async.watcher import Watch, Watcher
from pgflow_client.errors import WaitInTransaction

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow_client._async.database import Database
    from pgflow_client._async.subscription import AsyncSubscription

__all__ = ["Hub"]


class Hub:
    """What a client and the handles that it made have in common.

    Attributes:
        database: How the database is reached.
        subscriptions: Those whose callbacks may still be called.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.subscriptions: set[AsyncSubscription] = set()
        self._watcher = Watcher(database) if database.can_listen else None

    def watch(self, run_id: UUID, *, wants_items: bool = False, ends_only: bool = False) -> Watch:
        """Return a watch for one caller, to be entered by it.

        Args:
            run_id: The run.
            wants_items: Whether what the run's steps emit is of interest, too.
            ends_only: Whether nothing but the end of the run is of interest.

        Raises:
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
        """
        if self.database.is_in_transaction():
            raise WaitInTransaction(run_id)
        return Watch(run_id, self._watcher, wants_items=wants_items, ends_only=ends_only)

    async def close(self) -> None:
        """End what goes on by itself, and close what was opened."""
        for subscription in list(self.subscriptions):
            await subscription.close()
        if self._watcher is not None:
            await self._watcher.close()
        await self.database.close()
