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


def find_drift(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return what is missing or was changed by hand, a few words for each.

    Functions are compared by their bodies; of tables, views and indexes only whether they are
    there. Those in `begin atomic`, whose bodies the server does not keep as text, likewise.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        bodies: dict[str, list[str]] = dict(cursor.execute(_FUNCTIONS).fetchall())
        relations = {row[0] for row in cursor.execute(_RELATIONS)}
    missing = [f"{kind} {name} is missing" for kind, name in _relations() if name not in relations]
    return (*missing, *_changed_functions(bodies))


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
