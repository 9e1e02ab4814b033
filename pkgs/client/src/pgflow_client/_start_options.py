"""What a start may say of its runs beside their input, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from pgflow_dsl import Flow, InputInvalid

from pgflow_client._functions.starting import StartOptions
from pgflow_client.errors import StartOptionInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

__all__ = [
    "StartArguments",
    "StartManyArguments",
    "batches_of",
    "check_duration",
    "check_instant",
    "check_options",
    "dump_tags",
]

_TAGS: Any = Flow[Any]("tags", input=Any)


class StartArguments(TypedDict, total=False):
    """The options of `start_flow`."""

    run_id: UUID | None
    idempotency_key: str | None
    key_lifetime: timedelta | None
    priority: int
    delay: timedelta | None
    tags: Mapping[str, Any] | None


class StartManyArguments(TypedDict, total=False):
    """The options of `start_flows`."""

    run_ids: Sequence[UUID] | None
    idempotency_keys: Sequence[str | None] | None
    key_lifetime: timedelta | None
    priority: int
    delay: timedelta | None
    tags: Mapping[str, Any] | None


def check_options(
    *,
    priority: int,
    delay: timedelta | None,
    tags: Mapping[str, Any] | None,
    key_lifetime: timedelta | None,
    has_key: bool,
) -> StartOptions:
    """Return options as the database takes them.

    Raises:
        ValueError: The priority is out of range, or a key's lifetime is given without a key.
        TypeError: A time is no timedelta.
        StartOptionInvalid: The tags are no mapping of names to what has a JSON form.
    """
    if not -32768 <= priority <= 32767:
        raise ValueError(f"priority is a whole number from -32768 to 32767, not {priority}")
    if key_lifetime is not None and not has_key:
        raise ValueError("key_lifetime says how long an idempotency key holds, and there is none")
    return StartOptions(
        priority=priority,
        tags=None if tags is None else dump_tags(tags),
        delay=check_duration("delay", delay),
        key_lifetime=check_duration("key_lifetime", key_lifetime),
    )


def dump_tags(tags: Mapping[str, Any]) -> str:
    """Return tags as JSON text.

    Raises:
        StartOptionInvalid: They are no mapping of names to what has a JSON form; names the tag.
    """
    given: Any = tags
    if not isinstance(given, Mapping):
        raise StartOptionInvalid(f"tags are a mapping of names and values, not {given!r:.100}")
    try:
        text: str = _TAGS.dump_input(dict(tags))
    except InputInvalid as error:
        told = "; ".join(f"{path}: {reason}" for path, reason in error.problems)
        raise StartOptionInvalid(f"tags are invalid: {told}") from None
    return text


def check_duration(name: str, duration: timedelta | None) -> timedelta | None:
    """Return a time span as it is.

    Raises:
        TypeError: It is none; says so by its name.
    """
    given: Any = duration
    if given is not None and not isinstance(given, timedelta):
        raise TypeError(f"{name} is a timedelta, such as timedelta(seconds=5), not {given!r:.100}")
    return duration


def check_instant(name: str, instant: datetime | None) -> datetime | None:
    """Return an instant as it is.

    Raises:
        TypeError: It is none; says so by its name.
        ValueError: It has no time zone.
    """
    given: Any = instant
    if given is not None and not isinstance(given, datetime):
        raise TypeError(f"{name} is a datetime, not {given!r:.100}")
    if instant is not None and instant.tzinfo is None:
        raise ValueError(f"{name} needs a time zone, such as datetime.now(UTC) has: {instant}")
    return instant


def batches_of(keys: Sequence[str | None] | None, count: int, size: int) -> list[list[int]]:
    """Return which runs go into which call, by their places.

    They go by their keys, so that no two starts can wait for each other's crosswise.
    """
    places = list(range(count))
    if keys is not None and count > size:
        places.sort(key=lambda place: keys[place] or "")
    return [places[begin : begin + size] for begin in range(0, count, size)]
