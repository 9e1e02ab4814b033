"""The versions of a flow: which there are, who serves them, and which of them new runs take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pgflow_client._functions.call import Call, Rows, load_json

if TYPE_CHECKING:
    from datetime import datetime

    from pgflow_client._link import AsyncConn

__all__ = [
    "FlowVersion",
    "VersionMatch",
    "get_shape",
    "list_versions",
    "match_versions",
    "name_of",
    "read_shape",
    "retire_version",
    "use_version",
]

_LIST_VERSIONS: Final = """
select listed.flow_name, listed.version, listed.version_slug, listed.is_current, listed.steps,
  listed.open_runs, listed.workers, listed.created_at, listed.superseded_at, listed.retired_at
from pgflow.list_flow_versions(flow_slug => %(flow_slug)s::text) as listed
"""
_GET_SHAPE: Final = """
select pgflow.get_flow_shape(flow_slug => %(flow_slug)s::text, version => %(version)s::int)::text
"""
_USE_VERSION: Final = """
select pgflow.use_flow_version(flow_slug => %(flow_slug)s::text, version => %(version)s::int)
"""
_RETIRE_VERSION: Final = """
select pgflow.retire_flow_version(
  flow_slug => %(flow_slug)s::text, version => %(version)s::int, cancel => %(cancel)s::boolean
)
"""
_MATCH_VERSIONS: Final = """
select matched.version_slug, matched.version, matched.is_current, matched.is_own, matched.misfits,
  matched.has_runs, matched.is_served, matched.is_retired
from pgflow.match_flow_versions(%s::text, %s::jsonb) as matched
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVersion:
    """A version of a flow.

    Attributes:
        flow: Name of the flow.
        version: Its number, counted from 1.
        slug: What its runs have as their flow's slug: the name, or such as "name@2".
        is_current: Whether new runs take it.
        steps: How many steps it has.
        open_runs: How many of its runs have not ended; where it has more than 10,000 tasks, those
            that were found among so many.
        workers: How many workers serve it that are alive.
        created_at: When it was made.
        superseded_at: When new runs began to take another; None for the one that they take.
        retired_at: When it was retired; None for one that was not.
    """

    flow: str
    version: int
    slug: str
    is_current: bool
    steps: int
    open_runs: int
    workers: int
    created_at: datetime
    superseded_at: datetime | None
    retired_at: datetime | None


class VersionMatch(NamedTuple):
    """A version, as a worker sees it.

    Attributes:
        slug: What its runs have as their flow's slug.
        version: Its number.
        is_current: Whether new runs take it.
        is_own: Whether it has the structure of the worker's code.
        misfits: Why the worker's handlers cannot serve it; empty where they can.
        has_runs: Whether it has runs that have not ended.
        is_served: Whether a worker serves it that is alive.
        is_retired: Whether it is retired, as only the own version can be.
    """

    slug: str
    version: int
    is_current: bool
    is_own: bool
    misfits: list[str]
    has_runs: bool
    is_served: bool
    is_retired: bool


def name_of(flow_slug: str) -> str:
    """Return the name of the flow that the slug of a run's version is one of."""
    return flow_slug.partition("@")[0]


def list_versions(flow_slug: str | None) -> Call[list[FlowVersion]]:
    """Read the versions of a flow, or of all, by flow and the youngest first."""
    return Call(sql=_LIST_VERSIONS, arguments={"flow_slug": flow_slug}, read=_versions)


def get_shape(flow_slug: str, version: int | None) -> Call[dict[str, Any] | None]:
    """Read the structure of a version, as a shape has it; None where there is no such version.

    Args:
        flow_slug: Name of the flow.
        version: Number of the version; None is the one that new runs take.
    """
    arguments = {"flow_slug": flow_slug, "version": version}
    return Call(sql=_GET_SHAPE, arguments=arguments, read=_shape)


def use_version(flow_slug: str, version: int) -> Call[None]:
    """Have new runs of a flow take a version."""
    arguments = {"flow_slug": flow_slug, "version": version}
    return Call(sql=_USE_VERSION, arguments=arguments, read=_nothing, is_write=True)


def retire_version(flow_slug: str, version: int, *, cancel: bool) -> Call[int]:
    """Take a version out of use; returns how many runs were cancelled for it."""
    arguments = {"flow_slug": flow_slug, "version": version, "cancel": cancel}
    return Call(sql=_RETIRE_VERSION, arguments=arguments, read=_number, is_write=True)


async def match_versions(conn: AsyncConn, flow_slug: str, shape: str) -> list[VersionMatch]:
    """Read which versions of a flow handlers can serve that were written for a shape."""
    cursor = await conn.execute(_MATCH_VERSIONS, (flow_slug, shape))
    return [VersionMatch._make(row) for row in await cursor.fetchall()]


async def read_shape(conn: AsyncConn, flow_slug: str) -> dict[str, Any] | None:
    """Read the structure of the version that new runs of a flow take, as `get_shape` does."""
    call = get_shape(flow_slug, None)
    cursor = await conn.execute(call.sql, call.arguments)
    return call.read(await cursor.fetchall())


def _versions(rows: Rows) -> list[FlowVersion]:
    return [
        FlowVersion(
            flow=row[0],
            version=row[1],
            slug=row[2],
            is_current=row[3],
            steps=row[4],
            open_runs=row[5],
            workers=row[6],
            created_at=row[7],
            superseded_at=row[8],
            retired_at=row[9],
        )
        for row in rows
    ]


def _shape(rows: Rows) -> dict[str, Any] | None:
    text: str | None = rows[0][0]
    return None if text is None else load_json(text)


def _number(rows: Rows) -> int:
    number: int = rows[0][0]
    return number


def _nothing(rows: Rows) -> None:
    return None
