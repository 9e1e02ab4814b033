"""Reading the stream of one step, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pgflow_client._functions.streams import read_stream
from pgflow_client.streams import StreamItem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from uuid import UUID

    from pgflow_client._async.looks import Looks
    from pgflow_client._async.watcher import Watch

__all__ = ["StreamReader"]

T = TypeVar("T")

_PAGE: Final = 500


class StreamReader(Generic[T]):
    """Remembers how far a stream has been read.

    Attributes:
        has_read_all: Whether there was nothing more when it was last read.
        is_ended: Whether there was nothing more, and no more could come.
    """

    def __init__(
        self,
        looks: Looks,
        run_id: UUID,
        step_slug: str,
        load: Callable[[str], T],
        *,
        task_index: int | None = None,
        after: int = 0,
        all_attempts: bool = False,
    ) -> None:
        """Begin after a place.

        Args:
            looks: Asks the database.
            run_id: The run.
            step_slug: The step.
            load: Makes a value of an item's JSON text.
            task_index: One task of a map; None is all tasks.
            after: The place.
            all_attempts: Whether to read items of attempts that count no longer, too.
        """
        self.has_read_all = False
        self.is_ended = False
        self._looks = looks
        self._run_id = run_id
        self._step_slug = step_slug
        self._load = load
        self._task_index = task_index
        self._after = after
        self._all_attempts = all_attempts

    async def items(self, watch: Watch) -> AsyncGenerator[StreamItem[T], None]:
        """Yield what has not been read, until there can be no more.

        Args:
            watch: What the looks go by.
        """
        with watch:
            while True:
                for item in await self.next_page():
                    watch.expect_more()
                    yield item
                if self.is_ended:
                    return
                if self.has_read_all:
                    await self._looks.pause()

    async def next_page(self) -> Iterator[StreamItem[T]]:
        """Return items that have not been read, as many as fit into a page.

        The iterator raises ItemInvalid at the item that is not what it is to be read as.

        Raises:
            RunNotFound: There is no such run.
            StepNotFound: Its flow has no such step.
        """
        page = await self._looks.ask(
            read_stream(
                self._run_id,
                self._step_slug,
                task_index=self._task_index,
                after=self._after,
                quantity=_PAGE,
                all_attempts=self._all_attempts,
            )
        )
        self.has_read_all = len(page.items) < _PAGE
        self.is_ended = self.has_read_all and page.is_ended
        if self.has_read_all:
            # Beyond what was passed over, so that it is passed over once.
            self._after = max(self._after, page.last_position)
        else:
            self._after = page.items[-1].position
        return (
            StreamItem(
                value=self._load(row.value),
                task_index=row.task_index,
                attempt=row.attempt,
                number=row.number,
                cursor=row.position,
                at=row.emitted_at,
            )
            for row in page.items
        )
