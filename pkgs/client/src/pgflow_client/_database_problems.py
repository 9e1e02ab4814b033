"""Errors of a database that did not get as far as answering."""

from __future__ import annotations

from typing import ClassVar

from pgflow_dsl.errors import PgflowError

__all__ = [
    "DatabaseProblem",
    "DatabaseReadOnly",
    "DatabaseUnreachable",
    "PermissionRefused",
    "SchemaMissing",
]


class DatabaseProblem(PgflowError):
    """The database did not get as far as answering.

    Attributes:
        reason: What the driver or the server said.
        sqlstate: The server's code; None where the server said nothing.
        shard: Which of the databases it is; None where there is only one.
    """

    _what: ClassVar[str] = "{reason}"

    def __init__(self, reason: str, sqlstate: str | None = None) -> None:
        super().__init__(reason, sqlstate)
        self.reason = reason
        self.sqlstate = sqlstate
        self.shard: str | None = None

    def __str__(self) -> str:
        told = self._what.format(reason=self.reason)
        return told if self.shard is None else f"shard {self.shard!r}: {told}"


class DatabaseUnreachable(DatabaseProblem):
    """There is no connection to the database, or it was lost.

    Its `was_reached` is False where no connection was to be had, so that nothing was sent.
    """

    _what = "cannot reach the database: {reason}"
    was_reached: bool = True


class DatabaseReadOnly(DatabaseProblem):
    """The server only reads, as one does that follows another."""

    _what = (
        "this server only reads ({reason}): "
        "name the primary, or all hosts and target_session_attrs=read-write"
    )


class SchemaMissing(DatabaseProblem):
    """The database lacks pgflow's schema, or has one that this package does not know."""

    _what = (
        "pgflow is not installed in this database, or in another version ({reason}): "
        "run `pgflow install`, and where that calls the database newer, upgrade the packages"
    )


class PermissionRefused(DatabaseProblem):
    """The database user may not do this."""

    _what = (
        "the database user may not do this ({reason}): grant it the role pgflow_client to start "
        "and watch runs, pgflow_worker to serve them, pgflow_reader to read tables; what changes "
        "the schema, or which version new runs take, and retires, deletes or prunes, takes the "
        "owner of the schema"
    )
