"""What pages ask for, read from the address and the body of a request, and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from uuid import UUID

from pgflow_client import RunNotFound, RunStatus
from pgflow_client.inspection import RunFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import QueryParams
    from starlette.requests import Request

__all__ = ["QueryInvalid", "RunQuery", "number", "one_of", "read_body", "run_id_of"]

# A body holds the input of a run; a page is no place to type more.
_LARGEST: Final = 10_000_000


class QueryInvalid(ValueError):
    """What was asked for makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """A search for runs as a page asks for it.

    Attributes:
        wanted: Which runs.
        since: Only runs that were started then or later.
        until: Only runs that were started before.
        before: Go on from this id.
    """

    wanted: RunFilter
    since: datetime | None
    until: datetime | None
    before: UUID | None

    @classmethod
    def read(cls, given: QueryParams) -> RunQuery:
        """Read `flow`, `status`, `tag` (again and again), `since`, `until` and `before`.

        Raises:
            QueryInvalid: One of them is not what it should be.
        """
        status = given.get("status") or None
        if status is not None and status not in get_args(RunStatus):
            raise QueryInvalid(f"there is no status {status!r}")
        before = given.get("before")
        return cls(
            wanted=RunFilter(
                flow_slug=given.get("flow") or None,
                status=cast("RunStatus | None", status),
                tags=_tags(given.getlist("tag")),
            ),
            since=_instant(given.get("since")),
            until=_instant(given.get("until")),
            before=_id(before) if before else None,
        )


def run_id_of(request: Request) -> UUID:
    """Return the run that a request is about.

    Raises:
        RunNotFound: It cannot be the id of a run.
    """
    given = request.path_params["run_id"]
    try:
        return UUID(given)
    except ValueError:
        raise RunNotFound(f"there is no run {given!r}", "a run's id is a UUID") from None


def number(given: str | None, default: int) -> int:
    """Return a whole number that was given.

    Raises:
        QueryInvalid: It is none, or one that no database column holds.
    """
    if not given:
        return default
    try:
        value = int(given)
    except ValueError:
        raise QueryInvalid(f"{given!r} is no whole number") from None
    if abs(value) >= 2**31:
        raise QueryInvalid(f"{given} is too large")
    return value


def one_of(given: str | None, choices: tuple[str, ...]) -> str | None:
    """Return a choice that was given; None where nothing was.

    Raises:
        QueryInvalid: It is not among the choices.
    """
    if not given:
        return None
    if given not in choices:
        raise QueryInvalid(f"{given!r} is none of {', '.join(choices)}")
    return given


async def read_body(request: Request) -> dict[str, Any]:
    """Read the object of JSON that a request carries.

    Raises:
        QueryInvalid: It carries something else, or too much of it.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise QueryInvalid("the body has to be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            raise QueryInvalid("the input is too large for a page; start the run by `pgflow start`")
    try:
        value = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError) as error:
        raise QueryInvalid(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise QueryInvalid("the body has to be an object")
    return cast("dict[str, Any]", value)


def _tags(given: list[str]) -> Mapping[str, Any]:
    """Read tags such as `team=red` and `urgent=true`: a value that is JSON is taken as such."""
    tags: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise QueryInvalid(f"{each!r} is no tag; write name=value")
        try:
            tags[name] = json.loads(value)
        except (ValueError, RecursionError):
            tags[name] = value
    return tags


def _instant(given: str | None) -> datetime | None:
    """Read an instant, such as 2026-01-31T08:00:00Z, or a span back from now, such as 15m or 2d."""
    if not given:
        return None
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if given[-1] in units and given[:-1].isdecimal() and len(given) < 7:
        return datetime.now(UTC) - timedelta(**{units[given[-1]]: int(given[:-1])})
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        raise QueryInvalid(f"{given!r} is no instant") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise QueryInvalid(f"{given!r} is no id") from None
