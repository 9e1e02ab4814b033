"""Where a reader of a run's events and of its streams stands, as the text of one cursor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pgflow_client._run_errors import CursorInvalid

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["FeedCursor"]

# The cursor of an event, then a place in each stream: 1.0123456789ab.0.s.s2~answer.42~log.7
_PLACE: Final = re.compile(r"([A-Za-z0-9_]{1,128})\.([0-9]{1,18})", re.ASCII)
# Far beyond what a page shows: a forged cursor must not fill the memory.
_MOST_STREAMS: Final = 1000


@dataclass(slots=True, kw_only=True)
class FeedCursor:
    """What has been told of a run and its streams.

    Attributes:
        event: The cursor of the last event; None before the first.
        places: Of each step, the place of its last item.
    """

    event: str | None = None
    places: dict[str, int] = field(default_factory=dict[str, int])

    def __str__(self) -> str:
        return "~".join(
            [self.event or "", *(f"{slug}.{place}" for slug, place in self.places.items())]
        )

    @classmethod
    def parse(cls, text: str, run_id: UUID) -> FeedCursor:
        """Return the cursor that a text stands for; the event's part is for others to check.

        Raises:
            CursorInvalid: The text is no cursor.
        """
        event, *parts = text.split("~", _MOST_STREAMS)
        found = [_PLACE.fullmatch(part) for part in parts]
        places = {match[1]: int(match[2]) for match in found if match}
        if len(places) < len(parts):
            raise CursorInvalid(run_id, text)
        return cls(event=event or None, places=places)
