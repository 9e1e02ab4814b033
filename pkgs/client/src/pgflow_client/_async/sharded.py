"""A client of several databases, each of which has some of the runs."""

from __future__ import annotations

import random
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pgflow_client._async.bulk import Home, Share, merge
from pgflow_client._async.client import AsyncClient
from pgflow_client._async.database import AUTO, PrepareThreshold
from pgflow_client._functions.runs import schema_version
from pgflow_client._rendezvous import by_hash, id_of, key_of, new_run_id
from pgflow_client.errors import DatabaseProblem, DatabaseUnreachable, RunNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from pgflow_client._async.bulk import Pages
    from pgflow_client._async.hub import Hub
    from pgflow_client._functions.call import Call
    from pgflow_client._functions.search import RunSummary
    from pgflow_client.progress import RunProgress

__all__ = ["AsyncShardedClient"]

T = TypeVar("T")

# Seconds for which new runs go elsewhere after a database could not be reached.
_REST: Final = 5.0


class AsyncShardedClient(AsyncClient):
    """A client of several databases, the shards, which have the runs between them.

    It does all that `AsyncClient` does: starts go to one of the shards, runs are found by their
    ids, and lists are put together. Ids are made here, such that an id alone tells the shard, and
    no table of runs is kept anywhere. Every shard has pgflow's schema and the flows, and workers of
    its own; one that cannot be reached is no trouble to the others, and is named by the error.

    Runs whose id or idempotency key is given go where these belong; both are not taken for one run,
    for they belong to shards of their own. Others go to any shard: where there is no connection to
    one, to another. Those that could not be reached in the last few seconds are tried last. Nothing
    is started twice, so where a connection is lost after something may have been sent, the error is
    raised. `start_flows` starts those without either on one shard, all or none, and after the rest;
    where it has to divide them, that goes for each shard. After an error it may be called again
    with the same keys. Ids are refused by a shard that has their runs by then.

    Attributes:
        shards: A client of each shard alone, by name.
    """

    def __init__(
        self,
        shards: Mapping[str, str | AsyncConnectionPool[Any]],
        *,
        without_keys: Collection[str] = (),
        max_connections: int = 4,
        prepare_threshold: PrepareThreshold = AUTO,
    ) -> None:
        """Make a client.

        Args:
            shards: The databases by name. A name is what runs are found by, so it stays the same
                when the database moves. Names may be added at any time: all runs are still found.
            without_keys: Names that were added after idempotency keys, or ids that are given, had
                come into use. Runs with one go to the others alone, where it has been all the time.
            max_connections: As for `AsyncClient`, to each shard.
            prepare_threshold: As for `AsyncClient`.

        Raises:
            ValueError: No shard is named, none is left for keys, or one without keys is no shard.
            DatabaseUnreachable: A URL is not one; names the shard.
        """
        if unknown := sorted(set(without_keys) - set(shards)):
            raise ValueError(f"without_keys names no shards: {', '.join(unknown)}")
        self._keyed: Final = [name for name in shards if name not in without_keys]
        if not self._keyed:
            raise ValueError("a sharded client needs a shard, and one that takes idempotency keys")
        clients: dict[str, AsyncClient] = {}
        for name, database in shards.items():
            try:
                clients[name] = AsyncClient(
                    database, max_connections=max_connections, prepare_threshold=prepare_threshold
                )
            except DatabaseProblem as error:
                error.shard = name
                raise
            clients[name]._hub.database.shard = name
        self.shards: Final[Mapping[str, AsyncClient]] = MappingProxyType(clients)

    async def close(self) -> None:
        """Close the connections to all shards. Runs go on; their handles are of no use any more."""
        for client in self.shards.values():
            await client.close()

    async def schema_version(self) -> int:
        """Return the number of the newest migration that is installed in all shards.

        Raises:
            SchemaMissing: pgflow is not installed in one; names it.
            DatabaseProblem: One cannot be reached, or pgflow not used in it; names it.
        """
        call = schema_version()
        return min([await each._hub.database.call(call) for each in self.shards.values()])

    def _homes(self, flow_slug: str, run_id: UUID | None, key: str | None) -> Iterable[Home]:
        if run_id is None and key is None:
            return self._anywhere()
        return [self._home(flow_slug, run_id, key)]

    def _home(self, flow_slug: str, run_id: UUID | None, key: str | None) -> Home:
        """Return where a run has to be started that has an id or a key."""
        if run_id is not None and key is not None:
            # Whichever of them decided, a start with the other alone could be another run.
            raise ValueError(
                "of several shards, a run's id points to one and its idempotency key to another: "
                "give one of them"
            )
        if run_id is not None:
            name = by_hash(self._keyed, id_of(run_id))[0]
        else:
            name = by_hash(self._keyed, key_of(flow_slug, key or ""))[0]
            run_id = new_run_id(self.shards, [name])
        return Home(self.shards[name]._hub, run_id)

    def _anywhere(self) -> Iterator[Home]:
        """Yield each shard once, with an id of it: where a run is to go that may go to any."""
        untried = list(self.shards)
        while untried:
            run_id = new_run_id(self.shards, self._in_reach(untried))
            name = by_hash(self.shards, id_of(run_id))[0]
            untried.remove(name)
            yield Home(self.shards[name]._hub, run_id)

    def _all_anywhere(self, places: Sequence[int]) -> Iterator[Share]:
        """Yield each shard once, with ids of it, for runs that have to be on one shard together."""
        untried = list(self.shards)
        while untried:
            name = random.choice(self._in_reach(untried))
            untried.remove(name)
            ids = [new_run_id(self.shards, [name]) for _ in places]
            yield Share(self.shards[name]._hub, places, ids)

    def _in_reach(self, names: Collection[str]) -> list[str]:
        """Return the shards to try first: all but those that could not be reached just now."""
        since = time.monotonic() - _REST
        found: list[str] = []
        for name in names:
            failed_at = self.shards[name]._hub.database.failed_at
            if failed_at is None or failed_at < since:
                found.append(name)
        return found or list(names)

    def _divide(
        self,
        flow_slug: str,
        count: int,
        run_ids: Sequence[UUID] | None,
        keys: Sequence[str | None] | None,
    ) -> list[Iterable[Share]]:
        places: dict[Hub, list[int]] = {}
        free: list[int] = []
        ids_at: dict[Hub, list[UUID]] = {}
        for place in range(count):
            run_id = None if run_ids is None else run_ids[place]
            key = None if keys is None else keys[place]
            if run_id is None and key is None:
                free.append(place)
                continue
            hub, its_id = self._home(flow_slug, run_id, key)
            if its_id is not None:
                places.setdefault(hub, []).append(place)
                ids_at.setdefault(hub, []).append(its_id)
        shares: list[Iterable[Share]] = [[Share(hub, places[hub], ids_at[hub])] for hub in places]
        # All or none of them, and last: where one with a key fails, these can be started again.
        return [*shares, self._all_anywhere(free)] if free or not count else shares

    async def _find(self, run_id: UUID) -> tuple[Hub, RunProgress]:
        not_found: RunNotFound | None = None
        unreachable: DatabaseUnreachable | None = None
        # The first one has it, unless it was started before that shard was added, or elsewhere.
        for name in by_hash(self.shards, id_of(run_id)):
            try:
                return await self.shards[name]._find(run_id)
            except RunNotFound as error:
                not_found = error
            except DatabaseUnreachable as error:
                unreachable = unreachable or error
        # It may well be there.
        raise unreachable or not_found or RunNotFound(f"run {run_id} does not exist")

    def _list(self, wanted: Pages, before: UUID | None) -> AsyncGenerator[RunSummary, None]:
        return merge([client._list(wanted, before) for client in self.shards.values()])

    async def _ask(self, call: Call[T]) -> T:
        unreachable: DatabaseUnreachable | None = None
        for client in self.shards.values():
            try:
                return await client._ask(call)
            except DatabaseUnreachable as error:
                unreachable = unreachable or error
        raise unreachable or DatabaseUnreachable("there is no shard")
