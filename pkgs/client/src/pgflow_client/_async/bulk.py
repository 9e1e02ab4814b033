"""Many runs at a time: starting them, and listing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from pgflow_client._functions.starting import start_flows
from pgflow_client._start_options import batches_of
from pgflow_client.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from uuid import UUID

    from pgflow_client._async.database import Database
    from pgflow_client._async.hub import Hub
    from pgflow_client._functions.call import Call
    from pgflow_client._functions.listing import PageOfRuns
    from pgflow_client._functions.search import RunSummary
    from pgflow_client._functions.starting import StartOptions

__all__ = ["Home", "Pages", "Share", "at_first_reached", "list_all", "merge", "start_all"]

P = TypeVar("P")
T = TypeVar("T")

# Inputs of one call: enough that calls cost nothing, few enough that none is huge.
_BATCH: Final = 1000


class Home(NamedTuple):
    """A database where a run may be started.

    Attributes:
        hub: Where.
        run_id: The id that it gets there; None has the database make one.
    """

    hub: Hub
    run_id: UUID | None


class Share(NamedTuple):
    """Those of many runs that are started in one database.

    Attributes:
        hub: Where.
        places: Their places among all.
        run_ids: Their ids; None has the database make them.
    """

    hub: Hub
    places: Sequence[int]
    run_ids: Sequence[UUID] | None


class Pages(Protocol):
    """Makes the call for one page of a list."""

    def __call__(self, *, before: UUID | None) -> Call[PageOfRuns]: ...


async def at_first_reached(places: Iterable[P], start: Callable[[P], Awaitable[T]]) -> T:
    """Start at the first of some places to which there is a connection.

    Args:
        places: Where it may be started, in the order in which they are tried.
        start: Starts at one.

    Raises:
        PgflowError: As `start` does. Where something may have been sent, no other place is tried,
            so nothing is started twice.
    """
    unreachable: DatabaseUnreachable | None = None
    for place in places:
        try:
            return await start(place)
        except DatabaseUnreachable as error:
            if error.was_reached:
                raise
            unreachable = unreachable or error
    raise unreachable or DatabaseUnreachable("there is no shard")


async def start_all(
    share: Share,
    flow_slug: str,
    texts: Sequence[str],
    keys: Sequence[str | None] | None,
    options: StartOptions,
) -> list[tuple[int, UUID]]:
    """Start a share of runs in one transaction, and return the id of each by its place.

    Args:
        share: Which of the runs, and where.
        flow_slug: The flow.
        texts: JSON texts of the inputs of all runs.
        keys: The idempotency keys of all runs; None where there are none.
        options: Of all the runs.

    Raises:
        PgflowError: As `start_flows` of the client. None of the share was started.
    """
    mine = None if keys is None else [keys[place] for place in share.places]
    batches = batches_of(mine, len(share.places), _BATCH)
    calls = [
        start_flows(
            flow_slug,
            [texts[share.places[each]] for each in batch],
            None if share.run_ids is None else [share.run_ids[each] for each in batch],
            None if mine is None else [mine[each] for each in batch],
            options,
        )
        for batch in batches
    ]
    # A single call is a transaction by itself, and saves the round trips around it.
    if len(calls) == 1:
        answers = [await share.hub.database.call(calls[0])]
    else:
        answers = await share.hub.database.call_all(calls)
    return [
        (share.places[each], run_id)
        for batch, answer in zip(batches, answers, strict=True)
        for each, run_id in zip(batch, answer, strict=True)
    ]


async def list_all(
    database: Database, wanted: Pages, before: UUID | None
) -> AsyncGenerator[RunSummary, None]:
    """Yield the runs of all pages, each of which is asked for when the one before has been used."""
    place, is_last = before, False
    while not is_last:
        found = await database.call(wanted(before=place))
        for run in found.runs:
            yield run
        place, is_last = found.next, found.next is None


async def merge(
    lists: Sequence[AsyncGenerator[RunSummary, None]],
) -> AsyncGenerator[RunSummary, None]:
    """Yield the runs of several lists as those of one, the newest first, and close the lists."""
    try:
        heads: dict[int, RunSummary] = {}
        for place, each in enumerate(lists):
            if (first := await anext(each, None)) is not None:
                heads[place] = first
        while heads:
            place = max(heads, key=lambda each: heads[each].run_id)
            yield heads.pop(place)
            if (head := await anext(lists[place], None)) is not None:
                heads[place] = head
    finally:
        for each in lists:
            await each.aclose()
