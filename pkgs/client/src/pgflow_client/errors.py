"""Every error that starting, watching and serving runs raises.

PgflowError                    of pgflow_dsl, where InputInvalid is too
 ├── CoreError              a function in the database refused; it changed nothing
 │    ├── FlowNotFound          PF001  no such flow
 │    ├── RunNotFound           PF002  no such run
 │    ├── StepNotFound          PF003  the flow has no such step
 │    ├── SlugInvalid           PF004  not a slug
 │    ├── DefinitionInvalid     PF005  a flow, step or worker cannot be defined so
 │    ├── InputRefused          PF006  the flow cannot be started with this input
 │    ├── WorkerNotRegistered   PF007  the worker has to register first
 │    ├── ArraysDiffer          PF008  parallel arrays differ in length
 │    ├── RunExists             PF009  the run id is taken
 │    ├── RunCompleted          PF010  there is nothing to retry
 │    ├── KeyInvalid            PF012  not an idempotency key
 │    ├── StartOptionInvalid    PF013  a run cannot be started with this option
 │    ├── ExtensionMissing      PF014  the database lacks an extension that was asked for
 │    ├── ArgumentInvalid       PF015  a call cannot be made with this argument
 │    ├── FlowRetired           PF016  the flow, or its version, is out of use
 │    ├── VersionInUse          PF017  a version cannot be retired yet
 │    ├── RunDoesNotFit         PF018  what a run has done does not fit another version
 │    └── PartitioningRefused   PF019  other things depend on tables that were to be partitioned
 ├── DatabaseProblem        the database did not get as far as answering
 │    ├── DatabaseUnreachable   no connection, or it was lost
 │    ├── DatabaseReadOnly      it follows another one, and only reads
 │    ├── SchemaMissing         pgflow is not installed there, or in an older version
 │    └── PermissionRefused     the user may not call pgflow
 ├── RunNotCompleted        the run ended, but not completed
 │    ├── RunFailed             a step failed it
 │    └── RunCancelled          it was cancelled
 ├── WaitTimeout            the run has not ended in time; also a TimeoutError
 ├── StepNotCompleted       the output of a step was asked for, and there is none
 ├── CursorInvalid          not the cursor of one of the run's events; also a ValueError
 ├── WrongFlow              a step or flow was given that is not the run's
 ├── WaitInTransaction      a wait inside of a transaction that could never see an end
 └── ClientClosed           the client was used after it was closed
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import UUID

import psycopg
from pgflow_dsl.errors import PgflowError

from pgflow_client._database_problems import (
    DatabaseProblem,
    DatabaseReadOnly,
    DatabaseUnreachable,
    PermissionRefused,
    SchemaMissing,
)
from pgflow_client._run_errors import (
    ClientClosed,
    CursorInvalid,
    RunCancelled,
    RunFailed,
    RunNotCompleted,
    StepNotCompleted,
    WaitInTransaction,
    WaitTimeout,
    WrongFlow,
)

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "ArgumentInvalid",
    "ArraysDiffer",
    "ClientClosed",
    "CoreError",
    "CursorInvalid",
    "DatabaseProblem",
    "DatabaseReadOnly",
    "DatabaseUnreachable",
    "DefinitionInvalid",
    "ExtensionMissing",
    "FlowNotFound",
    "FlowRetired",
    "InputRefused",
    "KeyInvalid",
    "PermissionRefused",
    "PgflowError",
    "RunCancelled",
    "RunCompleted",
    "RunDoesNotFit",
    "RunExists",
    "RunFailed",
    "RunNotCompleted",
    "RunNotFound",
    "SchemaMissing",
    "SlugInvalid",
    "StartOptionInvalid",
    "StepNotCompleted",
    "StepNotFound",
    "VersionInUse",
    "WaitInTransaction",
    "WaitTimeout",
    "WorkerNotRegistered",
    "WrongFlow",
    "error_for",
    "translate_errors",
]


class CoreError(PgflowError):
    """A function in the database refused what it was asked. Nothing was changed.

    Attributes:
        sqlstate: The error's code, the same for all errors of a class.
        message: What is wrong.
        hint: What to do about it; None where there is nothing to say.
        detail: What it is about, as words `name=value`.
    """

    sqlstate: ClassVar[str]

    def __init__(self, message: str, hint: str | None = None, detail: str = "") -> None:
        super().__init__(message, hint, detail)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message

    @property
    def flow_slug(self) -> str | None:
        """The flow that it is about; None where there is none to tell."""
        return self._word("flow_slug")

    @property
    def step_slug(self) -> str | None:
        """The step that it is about; None where there is none to tell."""
        return self._word("step_slug")

    @property
    def run_id(self) -> UUID | None:
        """The run that it is about; None where there is none to tell."""
        return self._id("run_id")

    @property
    def worker_id(self) -> UUID | None:
        """The worker that it is about; None where there is none to tell."""
        return self._id("worker_id")

    def _word(self, name: str) -> str | None:
        found = re.search(rf"(?:^| ){name}=(\S+)", self.detail)
        return found[1] if found else None

    def _id(self, name: str) -> UUID | None:
        word = self._word(name)
        return UUID(word) if word else None


class FlowNotFound(CoreError):
    """The database has no such flow."""

    sqlstate = "PF001"


class RunNotFound(CoreError):
    """The database has no such run."""

    sqlstate = "PF002"


class StepNotFound(CoreError):
    """The flow, as the database knows it, has no such step."""

    sqlstate = "PF003"


class SlugInvalid(CoreError):
    """A name cannot be the slug of a flow or step."""

    sqlstate = "PF004"


class DefinitionInvalid(CoreError):
    """A flow, a step or a worker cannot be defined so."""

    sqlstate = "PF005"


class InputRefused(CoreError):
    """The flow cannot be started with this input, whatever the types say."""

    sqlstate = "PF006"

    @property
    def input_index(self) -> int | None:
        """Place of the input among those of its call, counted from 0."""
        word = self._word("input_index")
        return int(word) if word else None


class WorkerNotRegistered(CoreError):
    """The database does not know the worker."""

    sqlstate = "PF007"


class ArraysDiffer(CoreError):
    """Arrays that belong together differ in length."""

    sqlstate = "PF008"


class RunExists(CoreError):
    """A run with the given id was started before."""

    sqlstate = "PF009"

    @property
    def run_ids(self) -> tuple[UUID, ...]:
        """The ids that were given, at most 20 of them; at least one of all given is taken."""
        words = self._word("run_ids")
        return tuple(UUID(word) for word in words.split(",")) if words else ()


class RunCompleted(CoreError):
    """The run is completed, so there is nothing in it to retry."""

    sqlstate = "PF010"


class KeyInvalid(CoreError):
    """A text cannot be an idempotency key."""

    sqlstate = "PF012"


class StartOptionInvalid(CoreError):
    """A run cannot be started with this option: tags that are no object, say."""

    sqlstate = "PF013"


class ExtensionMissing(CoreError):
    """The database does not have an extension of PostgreSQL that a call is about."""

    sqlstate = "PF014"


class ArgumentInvalid(CoreError):
    """A call cannot be made with this argument: a negative quantity, say, or a text with a NUL."""

    sqlstate = "PF015"


class FlowRetired(CoreError):
    """The flow, or the version of it that was asked for, is retired: nothing starts or goes on."""

    sqlstate = "PF016"


class VersionInUse(CoreError):
    """A version cannot be retired: it has runs that have not ended, or new runs take it."""

    sqlstate = "PF017"


class RunDoesNotFit(CoreError):
    """A step that has ended is not the same in the version that its run is to go on as."""

    sqlstate = "PF018"


class PartitioningRefused(CoreError):
    """Tables cannot be partitioned while policies, triggers or views of others are on them."""

    sqlstate = "PF019"


_CORE_ERRORS: Final[dict[str, type[CoreError]]] = {
    kind.sqlstate: kind
    for kind in (
        FlowNotFound,
        RunNotFound,
        StepNotFound,
        SlugInvalid,
        DefinitionInvalid,
        InputRefused,
        WorkerNotRegistered,
        ArraysDiffer,
        RunExists,
        RunCompleted,
        KeyInvalid,
        StartOptionInvalid,
        ExtensionMissing,
        ArgumentInvalid,
        FlowRetired,
        VersionInUse,
        RunDoesNotFit,
        PartitioningRefused,
    )
}

# invalid_schema_name, undefined_function, undefined_table.
_UNDEFINED: Final = frozenset({"3F000", "42883", "42P01"})
# numeric_value_out_of_range, character_not_in_repertoire, untranslatable_character.
_NO_ARGUMENT: Final = frozenset({"22003", "22021", "22P05"})
# invalid_catalog_name, too_many_connections, admin_shutdown, crash_shutdown, cannot_connect_now,
# idle_session_timeout; class 08 are connection exceptions, class 28 refused logins.
_NO_CONNECTION: Final = frozenset({"3D000", "53300", "57P01", "57P02", "57P03", "57P05"})


def error_for(error: psycopg.Error) -> PgflowError | None:
    """Return the error of pgflow that a driver's error stands for.

    Args:
        error: From psycopg or psycopg_pool.

    Returns:
        The error to raise from it; None where it has no meaning of ours, such as a deadlock.
    """
    sqlstate = error.sqlstate
    reason = error.diag.message_primary or str(error).strip()
    if sqlstate in _NO_ARGUMENT or (sqlstate is None and isinstance(error, psycopg.DataError)):
        # Without a code it is the driver's, which has not sent it.
        return ArgumentInvalid(f"an argument has no form in the database: {reason}")
    if sqlstate is None:
        return DatabaseUnreachable(reason) if isinstance(error, psycopg.OperationalError) else None
    kind = _CORE_ERRORS.get(sqlstate)
    if kind is not None:
        return kind(reason, error.diag.message_hint, error.diag.message_detail or "")
    if sqlstate in _UNDEFINED and "pgflow" in reason:
        return SchemaMissing(reason, sqlstate)
    if sqlstate == "25006":
        return DatabaseReadOnly(reason, sqlstate)
    if sqlstate == "42501":
        return PermissionRefused(reason, sqlstate)
    if sqlstate in _NO_CONNECTION or sqlstate[:2] in ("08", "28"):
        return DatabaseUnreachable(reason, sqlstate)
    return None


@contextmanager
def translate_errors() -> Generator[None, None, None]:
    """Raise pgflow's errors in place of the driver's, where `error_for` knows one."""
    try:
        yield
    except UnicodeEncodeError as error:
        reason = f"{error.object[error.start : error.end]!r} is half a character"
        raise ArgumentInvalid(f"an argument has no form in the database: {reason}") from error
    except psycopg.Error as error:
        ours = error_for(error)
        if ours is None:
            raise
        raise ours from error
