"""The options that several commands share."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["as_json", "database_url", "read_limits"]

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
database_url: Final = click.option(
    "--database-url",
    metavar="URL",
    help="Use this database. Default: PGFLOW_DATABASE_URL, DATABASE_URL, else the embedded one.",
)


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
