"""What in a database's pgflow schema is not as this package made it."""

import re
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from pgflow_core_sql import sqlfiles

_BODY: Final = re.compile(r"^as \$\$(.*)\$\$;$", re.MULTILINE | re.DOTALL)
_CREATED: Final = re.compile(
    r"^create (?:unlogged )?(?:unique )?(table|index) (?:if not exists )?(?:pgflow\.)?(\w+)",
    re.MULTILINE,
)
_DROPPED: Final = re.compile(r"^drop (table|index) (?:if exists )?(?:pgflow\.)?(\w+)", re.MULTILINE)
_GRANT: Final = re.compile(r"^ *\('(\w+)', '(usage|select|execute) on ([^']+)'\)", re.MULTILINE)
_ALL_TABLES: Final = "all tables in schema pgflow"
# It holds a secret, and nobody is given it.
_OF_NOBODY: Final = "invocation_settings"
_FUNCTIONS: Final = """
select proc.proname, array_agg(proc.prosrc)
from pg_catalog.pg_proc as proc
where proc.pronamespace = to_regnamespace('pgflow')
group by proc.proname
"""
_RELATIONS: Final = """
select class.relname from pg_catalog.pg_class as class
where class.relnamespace = to_regnamespace('pgflow')
"""
# What each of the roles may do that are there.
_RIGHTS: Final = """
select role.rolname, may.right_on
from pg_catalog.pg_roles as role
cross join lateral (
  select 'schema pgflow'
  from pg_catalog.pg_namespace as namespace
  where namespace.nspname = 'pgflow'
    and has_schema_privilege(role.oid, namespace.oid, 'usage')
  union all
  select 'function ' || proc.proname
  from pg_catalog.pg_proc as proc
  where proc.pronamespace = to_regnamespace('pgflow')
    and has_function_privilege(role.oid, proc.oid, 'execute')
  union all
  select class.relname
  from pg_catalog.pg_class as class
  where class.relnamespace = to_regnamespace('pgflow') and class.relkind in ('r', 'p', 'v')
    and has_table_privilege(role.oid, class.oid, 'select')
  union all
  -- So that a role that may do nothing is seen, too.
  select ''
) as may (right_on)
where role.rolname = any (%s)
"""


def find_drift(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return what is missing or was changed by hand, a few words for each.

    Functions are compared by their bodies; of tables, views and indexes only whether they are
    there. Those in `begin atomic`, whose bodies the server does not keep as text, likewise. Of the
    group roles that the server has, it is whether they have their rights: a role that was made
    after the schema has none.
    """
    granted = _granted()
    with conn.cursor(row_factory=tuple_row) as cursor:
        bodies: dict[str, list[str]] = dict(cursor.execute(_FUNCTIONS).fetchall())
        relations = {row[0] for row in cursor.execute(_RELATIONS)}
        rights = cursor.execute(_RIGHTS, (sorted(granted),), prepare=False).fetchall()
    missing = [f"{kind} {name} is missing" for kind, name in _relations() if name not in relations]
    there = relations | {f"function {name}" for name in bodies} | {"schema pgflow"}
    return (*missing, *_changed_functions(bodies), *_missing_rights(granted, rights, there))


def _granted() -> dict[str, set[str]]:
    """Return what each role has a right on, as `grants.sql` says."""
    granted: dict[str, set[str]] = {}
    for role, kind, what in _GRANT.findall(sqlfiles.grants().text):
        if what == _ALL_TABLES:
            tables = {name for made, name in _relations() if made != "index"}
            names = tables - {_OF_NOBODY}
        elif kind == "select":
            names = {each.strip().removeprefix("pgflow.") for each in what.split(",")}
        else:
            names = {what.replace("function pgflow.", "function ")}
        granted.setdefault(role, set()).update(names)
    return granted


def _missing_rights(
    granted: dict[str, set[str]], rights: list[tuple[str, str]], there: set[str]
) -> list[str]:
    """Tell which roles lack a right on something that is there."""
    may: dict[str, set[str]] = {}
    for role, what in rights:
        may.setdefault(role, set()).add(what)
    return [
        f"rights of role {role} are missing"
        for role, has in sorted(may.items())
        if (granted[role] & there) - has
    ]


def _relations() -> list[tuple[str, str]]:
    made: list[tuple[str, str]] = []
    for file in (sqlfiles.bootstrap(), *sqlfiles.migrations()):
        made += _CREATED.findall(file.text)
        dropped = set(_DROPPED.findall(file.text))
        made = [each for each in made if each not in dropped]
    return made + [("view", view.stem) for view in sqlfiles.views()]


def _changed_functions(bodies: dict[str, list[str]]) -> list[str]:
    found: list[str] = []
    for file in sqlfiles.functions():
        name = file.stem
        body = _BODY.search(file.text)
        if name not in bodies:
            found.append(f"function {name} is missing")
        elif body is not None and body[1] not in bodies[name]:
            found.append(f"function {name} was changed")
    return found
