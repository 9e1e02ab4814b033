"""The group roles: whether they are there, and who is in them."""

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from pgflow_core_sql import sqlfiles

_PURPOSES: Final = {
    "pgflow_client": "starts, watches and steers runs",
    "pgflow_worker": "claims tasks and reports",
    "pgflow_reader": "reads everything but secrets",
}
_MEMBERS: Final = """
select role.rolname, array(
  select member.rolname::text
  from pg_catalog.pg_auth_members as membership
  join pg_catalog.pg_roles as member on member.oid = membership.member
  where membership.roleid = role.oid
  order by member.rolname
)
from pg_catalog.pg_roles as role
where role.rolname = any (%s)
"""
_AFTER_ROLES: Final = "revoke all on schema pgflow from public;"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRole:
    """A role that users are made members of.

    Attributes:
        name: Its name.
        purpose: What its members may do, in words.
        is_there: Whether the server has it.
        members: Who is in it, by name.
    """

    name: str
    purpose: str
    is_there: bool
    members: tuple[str, ...]


def find_roles(conn: psycopg.Connection[Any]) -> tuple[GroupRole, ...]:
    """Return the group roles as the server has them."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_MEMBERS, (list(_PURPOSES),), prepare=False).fetchall()
    members: dict[str, list[str]] = dict(found)
    return tuple(
        GroupRole(
            name=name,
            purpose=purpose,
            is_there=name in members,
            members=tuple(members.get(name, ())),
        )
        for name, purpose in _PURPOSES.items()
    )


def roles_script() -> str:
    """Return SQL that makes the group roles, for whoever may do that; it can be run again.

    Their rights are not in it: `install` grants those, which takes the owner of the schema alone.
    """
    text, _, _ = sqlfiles.grants().text.partition(_AFTER_ROLES)
    return text.rstrip() + "\n"
