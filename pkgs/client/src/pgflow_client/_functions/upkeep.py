"""Looking after a database: what its user may do, what should be there, and what may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = [
    "Settings",
    "UserRights",
    "count_prunable_runs",
    "delete_flow",
    "get_settings",
    "get_user_rights",
    "list_index_names",
    "prune_runs",
]

_PRUNE: Final = """
select pgflow.prune_data_older_than(
  retention => %(retention)s::interval, quantity => %(quantity)s::int
)
"""
_COUNT_PRUNABLE: Final = """
select count(*)
from pgflow.runs as run
where run.started_at < now() - %(retention)s::interval and run.status <> 'started'
  and coalesce(run.completed_at, run.failed_at, run.cancelled_at)
    < now() - %(retention)s::interval
"""
_DELETE_FLOW: Final = "select pgflow.delete_flow_and_data(flow_slug => %(flow_slug)s::text)"
_GET_USER_RIGHTS: Final = """
select
  current_user, role.rolsuper,
  array(
    select groups.name
    from unnest(array['pgflow_client', 'pgflow_reader', 'pgflow_worker']) as groups (name)
    join pg_roles as existing on existing.rolname = groups.name
    where pg_has_role(current_user, existing.oid, 'usage')
  ),
  array(
    select groups.name
    from unnest(array['pgflow_client', 'pgflow_reader', 'pgflow_worker']) as groups (name)
    where not exists (select from pg_roles as existing where existing.rolname = groups.name)
  ),
  coalesce(pg_has_role(current_user, own.nspowner, 'usage'), false),
  has_database_privilege(current_database(), 'create')
from pg_roles as role
left join pg_namespace as own on own.nspname = 'pgflow'
where role.rolname = current_user
"""
_LIST_INDEX_NAMES: Final = """
select index.relname
from pg_class as index
where index.relnamespace = to_regnamespace('pgflow') and index.relkind in ('i', 'I')
"""
_GET_SETTINGS: Final = """
select
  current_setting('fsync')::boolean, current_setting('synchronous_commit'),
  current_setting('full_page_writes')::boolean, current_setting('server_version_num')::int,
  pg_is_in_recovery()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRights:
    """What the user of a connection may do.

    Attributes:
        user: The user.
        is_superuser: Whether it may do everything.
        groups: The group roles of pgflow's that it is in.
        missing_groups: Those that the server does not have.
        owns_schema: Whether the schema is its own, so that it may upgrade and prune.
        may_create: Whether it may create schemas in the database.
    """

    user: str
    is_superuser: bool
    groups: tuple[str, ...]
    missing_groups: tuple[str, ...]
    owns_schema: bool
    may_create: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server promises of what it has written.

    Attributes:
        fsync: Whether it flushes to disk at all.
        synchronous_commit: Whether a commit waits for that.
        full_page_writes: Whether it survives pages that were half written.
        version: Its version as a number, such as 170002.
        is_standby: Whether it only follows another one.
    """

    fsync: bool
    synchronous_commit: str
    full_page_writes: bool
    version: int
    is_standby: bool


def prune_runs(retention: timedelta, quantity: int) -> Call[int]:
    """Delete runs that ended longer ago; returns how many that were.

    Args:
        retention: How long runs are kept after their end.
        quantity: How many to delete at most.
    """
    arguments = {"retention": retention, "quantity": quantity}
    return Call(sql=_PRUNE, arguments=arguments, read=_number, is_write=True)


def count_prunable_runs(retention: timedelta) -> Call[int]:
    """Count the runs that ended longer ago."""
    return Call(sql=_COUNT_PRUNABLE, arguments={"retention": retention}, read=_number)


def delete_flow(flow_slug: str) -> Call[None]:
    """Delete a flow with all of its runs."""
    arguments = {"flow_slug": flow_slug}
    return Call(sql=_DELETE_FLOW, arguments=arguments, read=_nothing, is_write=True)


def get_user_rights() -> Call[UserRights]:
    """Read what the user of the connection may do."""
    return Call(sql=_GET_USER_RIGHTS, arguments={}, read=_rights)


def list_index_names() -> Call[list[str]]:
    """List the indexes of the schema."""
    return Call(sql=_LIST_INDEX_NAMES, arguments={}, read=_names)


def get_settings() -> Call[Settings]:
    """Read what the server promises of what it has written."""
    return Call(sql=_GET_SETTINGS, arguments={}, read=_settings)


def _number(rows: Rows) -> int:
    return int(rows[0][0])


def _nothing(rows: Rows) -> None:
    return None


def _names(rows: Rows) -> list[str]:
    return [row[0] for row in rows]


def _rights(rows: Rows) -> UserRights:
    user, is_superuser, groups, missing, owns_schema, may_create = rows[0]
    return UserRights(
        user=user,
        is_superuser=is_superuser,
        groups=tuple(groups),
        missing_groups=tuple(missing),
        owns_schema=owns_schema,
        may_create=may_create,
    )


def _settings(rows: Rows) -> Settings:
    fsync, synchronous_commit, full_page_writes, version, is_standby = rows[0]
    return Settings(
        fsync=fsync,
        synchronous_commit=synchronous_commit,
        full_page_writes=full_page_writes,
        version=version,
        is_standby=is_standby,
    )
