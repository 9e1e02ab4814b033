"""Server-Sent Events: the text that tells a browser of an event or an item."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pgflow_client.events import Event
    from pgflow_client.streams import StreamItem

__all__ = ["HEARTBEAT", "RETRY", "format_event", "format_item"]

# Comments, which browsers pass over. They tell a dead connection from a quiet run.
HEARTBEAT: Final = ":\n\n"
# Milliseconds after which a browser comes back.
RETRY: Final = "retry: 1000\n\n"


def format_event(event: Event, cursor: object) -> str:
    """Return an event as text: its name in snake case, and its fields as JSON.

    Args:
        event: The event.
        cursor: Where to go on after it.
    """
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    data: dict[str, Any] = {
        each.name: getattr(event, each.name) for each in fields(event) if each.name != "cursor"
    }
    return _format(name, json.dumps(data, default=_plain), cursor)


def format_item(step_slug: str, item: StreamItem[str], cursor: object) -> str:
    """Return an item as text, named "item".

    Args:
        step_slug: Its step.
        item: The item; its value is JSON text.
        cursor: Where to go on after it.
    """
    data = json.dumps(
        {
            "step_slug": step_slug,
            "task_index": item.task_index,
            "attempt": item.attempt,
            "is_restart": item.is_restart,
            "at": item.at.isoformat(),
        }
    )
    # JSON of Postgres has no line breaks.
    return _format("item", f'{data[:-1]}, "value": {item.value}}}', cursor)


def _format(name: str, data: str, cursor: object) -> str:
    return f"id: {cursor}\nevent: {name}\ndata: {data}\n\n"


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
