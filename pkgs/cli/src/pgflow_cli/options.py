"""The options that several commands share."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

__all__ = [
    "as_json",
    "database_url",
    "migration_tool",
    "read_delay",
    "read_instant",
    "read_limits",
    "read_tags",
    "read_versions",
]

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)?")
_RANGE: Final = re.compile(r"(\d+)(-(\d+)?)?")
_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
database_url: Final = click.option(
    "--database-url",
    metavar="URL",
    help="Use this database. Default: PGFLOW_DATABASE_URL, DATABASE_URL, else the embedded one.",
)

migration_tool: Final = click.option(
    "--for",
    "tool",
    type=click.Choice(["sql", "supabase", "alembic", "django", "dbmate"]),
    help="Write migrations for this tool, after those that it has.",
)


def read_versions(
    context: click.Context, parameter: click.Parameter, given: str | None
) -> tuple[int, int | None] | None:
    """Read schema versions: 3, 3-5, or 3- for all from there on.

    Raises:
        BadParameter: It is something else.
    """
    if given is None:
        return None
    found = _RANGE.fullmatch(given)
    if found is None:
        reason = f"{given!r} is no version such as 3, and no range such as 3-5 or 3-."
        raise click.BadParameter(reason, context, parameter)
    first = int(found[1])
    if found[2] is None:
        return first, first
    return first, int(found[3]) if found[3] else None


def read_limits(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, int]:
    """Read how many tasks of a flow or of a step of it there may be: QUEUE=N.

    Raises:
        BadParameter: One is something else.
    """
    limits: dict[str, int] = {}
    for each in given:
        queue, _, count = each.rpartition("=")
        if not queue or not count.isdecimal() or int(count) < 1:
            reason = f"{each!r} is not FLOW=N or FLOW.STEP=N with a number of 1 or more."
            raise click.BadParameter(reason)
        limits[queue] = int(count)
    return limits


def read_tags(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, Any] | None:
    """Read tags: NAME=VALUE, where a value that is JSON is what it says, and any other a text.

    Raises:
        BadParameter: One is something else.
    """
    import json

    tags: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE.", context, parameter)
        try:
            tags[name] = json.loads(text)
        except ValueError:
            tags[name] = text
    return tags or None


def read_delay(
    context: click.Context, parameter: click.Parameter, given: str | None
) -> timedelta | None:
    """Read a span of time: 30, 30s, 5min, 2h or 1d.

    Raises:
        BadParameter: It is something else.
    """
    if given is None:
        return None
    span = _span(given)
    if span is None:
        reason = f"{given!r} is no span of time such as 30s, 5min, 2h or 1d."
        raise click.BadParameter(reason, context, parameter)
    return span


def read_instant(
    context: click.Context, parameter: click.Parameter, given: str | None
) -> datetime | None:
    """Read an instant: a span of time before now, or a date with or without a time.

    Raises:
        BadParameter: It is something else.
    """
    if given is None:
        return None
    now = datetime.now(UTC)
    span = _span(given)
    try:
        # What names no time zone is meant as the user's clock shows it.
        return datetime.fromisoformat(given).astimezone() if span is None else now - span
    except (ValueError, OverflowError) as error:
        reason = (
            f"{given!r} is no span of time such as 2h or 1d, and no date such as 2026-01-31T12:00."
        )
        raise click.BadParameter(reason, context, parameter) from error


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    try:
        return (
            None if found is None else timedelta(seconds=float(found[1]) * _UNITS[found[2] or "s"])
        )
    except OverflowError:
        return None
