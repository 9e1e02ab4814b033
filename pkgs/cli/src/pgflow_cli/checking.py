"""Whether a database's schema is the one of this version: for people, and for CI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pgflow_core_sql import MigrationChanged, Migrator, SchemaTooNew

from pgflow_cli.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SchemaCheck", "check_schema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """What a look at the schema found.

    Attributes:
        state: "newer": a newer pgflow has installed it. "drifted": it is not what a pgflow made.
            "pending": there is something to apply. "complete": there is not.
        installed: Its version; 0 where there is none.
        pending: What is to be applied.
        drift: What is missing or was changed, in sentences.
    """

    state: Literal["newer", "drifted", "pending", "complete"]
    installed: int
    pending: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Tell it to people."""
        if self.state == "newer":
            yield f"Schema version {self.installed} is of a newer pgflow than this one."
        elif self.state == "drifted":
            yield f"Schema version {self.installed} is not as pgflow made it:"
            yield from (f"  {each}" for each in self.drift)
        elif self.state == "pending":
            yield f"{len(self.pending)} to apply with `pgflow install`:"
            yield from (f"  {each}" for each in self.pending)
        else:
            yield f"Nothing to apply: schema version {self.installed} is installed."


def check_schema(url: str) -> SchemaCheck:
    """Look at the schema of a database, and change nothing.

    Args:
        url: The database's.
    """
    with connect(url) as conn:
        migrator = Migrator(conn)
        installed = migrator.installed()
        try:
            pending = migrator.pending()
        except SchemaTooNew:
            return SchemaCheck(state="newer", installed=installed)
        except MigrationChanged as error:
            return SchemaCheck(state="drifted", installed=installed, drift=(str(error),))
        if pending:
            return SchemaCheck(state="pending", installed=installed, pending=pending)
        drift = migrator.drift()
        state: Literal["drifted", "complete"] = "drifted" if drift else "complete"
        return SchemaCheck(state=state, installed=installed, drift=drift)
