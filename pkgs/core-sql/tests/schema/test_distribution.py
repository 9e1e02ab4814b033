"""What it takes to spread the runtime tables over many nodes by run_id, asked of the catalog.

A table that is distributed by a column has that column in every unique index and in every foreign
key, and no row of it ever moves to another value. The page website/docs/deploy/nodes.md says what
becomes of each table, and is held to what the catalog says.
"""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).parents[4]
FUNCTIONS = ROOT / "pkgs/core-sql/src/pgflow_core_sql/sql/functions"
PAGE = ROOT / "website/docs/deploy/nodes.md"

# Keys are unique in a flow, whatever the run: they are a table of their own, by another column.
BY_ANOTHER_COLUMN = {"run_keys"}

Connection = psycopg.Connection[Any]


def names(conn: Connection, question: str) -> list[str]:
    with conn.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        return cursor.execute(question.encode()).fetchall()


def part_of_page(title: str) -> str:
    citus = PAGE.read_text().partition("## Citus\n")[2]
    return citus.partition(f"### {title}\n")[2].partition("### ")[0]


@pytest.fixture
def distributed(conn: Connection) -> set[str]:
    """The tables with a column run_id: each row of them is of one run."""
    found = names(
        conn,
        """
        select class.relname
        from pg_class as class
        join pg_attribute as attribute on attribute.attrelid = class.oid
        where class.relnamespace = 'pgflow'::regnamespace
          and class.relkind in ('r', 'p') and not class.relispartition
          and attribute.attname = 'run_id' and not attribute.attisdropped
        """,
    )
    assert {"runs", "step_states", "step_tasks", "stream_items"} <= set(found)
    return set(found) - BY_ANOTHER_COLUMN


def test_every_unique_index_of_a_runtime_table_has_the_run_in_it(
    conn: Connection, distributed: set[str]
):
    without = names(
        conn,
        """
        select index.indrelid::regclass::text || ' ' || index.indexrelid::regclass::text
        from pg_index as index
        join pg_class as class on class.oid = index.indrelid
        where class.relnamespace = 'pgflow'::regnamespace
          and index.indisunique and not class.relispartition
          and not exists (
            select
            from pg_attribute as attribute
            where attribute.attrelid = index.indrelid and attribute.attname = 'run_id'
              and attribute.attnum = any (index.indkey)
          )
        """,
    )
    broken = [each for each in without if each.removeprefix("pgflow.").split()[0] in distributed]
    assert broken == []


def test_every_runtime_table_has_a_primary_key_and_a_run_in_every_row(
    conn: Connection, distributed: set[str]
):
    whole = names(
        conn,
        """
        select class.relname
        from pg_index as index
        join pg_class as class on class.oid = index.indrelid
        join pg_attribute as attribute on attribute.attrelid = class.oid
        where index.indisprimary and attribute.attname = 'run_id' and attribute.attnotnull
          and class.relnamespace = 'pgflow'::regnamespace
        """,
    )
    assert distributed - set(whole) == set()


def test_no_foreign_key_leads_from_or_to_a_runtime_table(conn: Connection, distributed: set[str]):
    ends = names(
        conn,
        """
        select class.relname
        from pg_constraint as constrained
        join pg_class as class on class.oid in (constrained.conrelid, constrained.confrelid)
        where constrained.contype = 'f' and class.relnamespace = 'pgflow'::regnamespace
        """,
    )
    assert distributed & set(ends) == set()
    # There are some, so the question is a question.
    assert "steps" in ends


def test_no_runtime_table_has_a_trigger_a_rule_or_a_sequence(
    conn: Connection, distributed: set[str]
):
    with_more = names(
        conn,
        """
        select class.relname
        from pg_class as class
        where class.relnamespace = 'pgflow'::regnamespace and (
          exists (select from pg_trigger as fired where fired.tgrelid = class.oid)
          or class.relkind in ('r', 'p') and class.relhasrules
          or exists (
            select from pg_attribute as attribute
            where attribute.attrelid = class.oid and attribute.attidentity <> ''
          )
          or exists (
            select from pg_attrdef as initial
            where initial.adrelid = class.oid
              and pg_get_expr(initial.adbin, class.oid) like '%nextval%'
          )
        )
        """,
    )
    assert distributed & set(with_more) == set()


def test_no_row_moves_from_one_run_to_another(distributed: set[str]):
    moving = {
        path.name
        for path in FUNCTIONS.rglob("*.sql")
        for table, columns in re.findall(
            r"update pgflow\.(\w+)[^;]*?\bset\b(.*?)(?:\bfrom\b|\bwhere\b|\breturning\b|;)",
            path.read_text(),
            re.DOTALL,
        )
        if table in distributed and re.search(r"\brun_id\s*=", columns)
    }
    assert moving == set()


def test_the_page_tells_of_each_table_what_becomes_of_it(conn: Connection, distributed: set[str]):
    section = part_of_page("Tables")
    rows = dict(
        re.findall(r"^\| (distributed by `run_id`|[^|]+) \| ((?:`\w+`(?:, )?)+) \|", section, re.M)
    )
    told = {kind: set(re.findall(r"\w+", tables)) for kind, tables in rows.items()}
    assert told.pop("distributed by `run_id`") == distributed
    existing = names(
        conn,
        """
        select class.relname from pg_class as class
        where class.relnamespace = 'pgflow'::regnamespace and class.relkind in ('r', 'p')
        """,
    )
    others = set().union(*told.values())
    assert others >= BY_ANOTHER_COLUMN
    assert others <= set(existing) - distributed


def test_the_page_tells_of_functions_that_there_are():
    section = part_of_page("Calls")
    told = {
        name
        for row in re.findall(r"^\| [^|]+ \| ([^|]+) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert len(told) > 40
    assert told <= {path.stem for path in FUNCTIONS.rglob("*.sql")}
