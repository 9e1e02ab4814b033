"""The SQL functions that read what handlers emitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = ["ItemRow", "StreamPage", "read_stream"]

# One statement, and so one snapshot: where the stream has ended, no item can follow these.
_READ_STREAM: Final = """
select
  state.is_ended, state.last_position, item.position, item.task_index, item.attempt, item.number,
  item.emitted_at, item.value::text
from pgflow.get_stream_state(
  run_id => %(run_id)s::uuid, step_slug => %(step_slug)s::text, task_index => %(task_index)s::int
) as state
left join pgflow.read_stream(
  run_id => %(run_id)s::uuid, step_slug => %(step_slug)s::text, task_index => %(task_index)s::int,
  after => %(after)s::bigint, quantity => %(quantity)s::int,
  all_attempts => %(all_attempts)s::boolean
) as item on true
order by item.position
"""


class ItemRow(NamedTuple):
    """An item of a stream.

    Attributes:
        position: Its place in the stream.
        task_index: The task.
        attempt: The attempt that emitted it.
        number: Its place among the items of the attempt.
        emitted_at: When it was stored.
        value: JSON text.
    """

    position: int
    task_index: int
    attempt: int
    number: int
    emitted_at: datetime
    value: str


class StreamPage(NamedTuple):
    """Items of a stream.

    Attributes:
        is_ended: Whether nothing can follow what the stream has now.
        last_position: The last place of the stream as it is now.
        items: The items, in order.
    """

    is_ended: bool
    last_position: int
    items: list[ItemRow]


def read_stream(
    run_id: UUID,
    step_slug: str,
    *,
    task_index: int | None,
    after: int,
    quantity: int,
    all_attempts: bool,
) -> Call[StreamPage]:
    """Read items of a step's stream.

    Args:
        run_id: The run.
        step_slug: The step.
        task_index: One task of a map; None is all tasks.
        after: The place after which to begin.
        quantity: How many items at most.
        all_attempts: Whether to read items of attempts that count no longer, too.
    """
    arguments = {
        "run_id": run_id,
        "step_slug": step_slug,
        "task_index": task_index,
        "after": after,
        "quantity": quantity,
        "all_attempts": all_attempts,
    }
    return Call(sql=_READ_STREAM, arguments=arguments, read=_page)


def _page(rows: Rows) -> StreamPage:
    is_ended, last_position, *_ = rows[0]
    items = [ItemRow._make(row[2:]) for row in rows if row[2] is not None]
    return StreamPage(is_ended, last_position, items)
