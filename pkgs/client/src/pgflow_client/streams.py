"""What is read of a stream, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["StreamItem"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamItem(Generic[T_co]):
    """A value that a handler emitted.

    Attributes:
        value: The value.
        task_index: The element's place for a map, else 0.
        attempt: Which attempt of the task emitted it.
        number: Its place among the items of its attempt, counted from 1.
        cursor: Its place in the stream, after which to go on. Places grow, with gaps.
        at: When it was stored, by the database's clock.
    """

    value: T_co
    task_index: int
    attempt: int
    number: int
    cursor: int
    at: datetime

    @property
    def is_restart(self) -> bool:
        """Whether a later attempt begins here, so that earlier items of the task are void."""
        return self.attempt > 1 and self.number == 1
