"""The options that several commands share."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["as_json", "database_url"]

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
database_url: Final = click.option(
    "--database-url",
    metavar="URL",
    help="Use this database. Default: PGFLOW_DATABASE_URL, DATABASE_URL, else the embedded one.",
)
