"""Rules of the installed schema that the database's own catalog answers, one test a rule."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

FUNCTIONS = Path(__file__).parents[2] / "src/pgflow_core_sql/sql/functions"
GROUP_ROLES = ("pgflow_client", "pgflow_worker", "pgflow_reader")

Connection = psycopg.Connection[Any]


def ask(conn: Connection, question: str, *values: object) -> list[str]:
    """Run a query that names what breaks a rule, one column of text."""
    with conn.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        return cursor.execute(question, values).fetchall()


def test_every_table_and_type_has_a_comment(conn: Connection):
    silent = ask(
        conn,
        """
        select class.relname
        from pg_class as class
        where class.relnamespace = 'pgflow'::regnamespace
          and class.relkind in ('r', 'p', 'v', 'm', 'c')
          and not class.relispartition
          and coalesce(
            obj_description(class.oid, 'pg_class'), obj_description(class.reltype, 'pg_type')
          ) is null
        """,
    )
    assert silent == []


def test_every_column_has_a_comment(conn: Connection):
    silent = ask(
        conn,
        """
        select class.relname || '.' || attribute.attname
        from pg_class as class
        join pg_attribute as attribute on attribute.attrelid = class.oid
        where class.relnamespace = 'pgflow'::regnamespace
          and class.relkind in ('r', 'p', 'v', 'm')
          and not class.relispartition
          and attribute.attnum > 0
          and not attribute.attisdropped
          and col_description(class.oid, attribute.attnum) is null
        """,
    )
    assert silent == []


def test_every_function_has_a_comment(conn: Connection):
    silent = ask(
        conn,
        """
        select function.oid::regprocedure::text
        from pg_proc as function
        where function.pronamespace = 'pgflow'::regnamespace
          and obj_description(function.oid, 'pg_proc') is null
        """,
    )
    assert silent == []


def test_every_function_has_a_file_and_every_file_a_function(conn: Connection):
    installed = ask(
        conn,
        """
        select function.proname
        from pg_proc as function
        where function.pronamespace = 'pgflow'::regnamespace
        """,
    )
    # As lists, so that an overloaded name shows as one too many.
    assert sorted(installed) == sorted(path.stem for path in FUNCTIONS.rglob("*.sql"))


def test_nothing_is_granted_to_public(conn: Connection):
    open_to_all = ask(
        conn,
        """
        select function.oid::regprocedure::text
        from pg_proc as function,
          aclexplode(coalesce(function.proacl, acldefault('f', function.proowner))) as granted
        where function.pronamespace = 'pgflow'::regnamespace and granted.grantee = 0
        union all
        select class.relname
        from pg_class as class, aclexplode(class.relacl) as granted
        where class.relnamespace = 'pgflow'::regnamespace and granted.grantee = 0
        union all
        select namespace.nspname
        from pg_namespace as namespace, aclexplode(namespace.nspacl) as granted
        where namespace.nspname = 'pgflow' and granted.grantee = 0
        """,
    )
    assert open_to_all == []


@pytest.mark.parametrize("role", GROUP_ROLES)
def test_no_table_can_be_written_by_a_group_role(conn: Connection, role: str):
    writable = ask(
        conn,
        """
        select class.relname
        from pg_class as class
        where class.relnamespace = 'pgflow'::regnamespace
          and class.relkind in ('r', 'p')
          and has_table_privilege(%s, class.oid, 'insert, update, delete, truncate')
        """,
        role,
    )
    assert writable == []


@pytest.mark.parametrize("role", GROUP_ROLES)
def test_no_private_function_can_be_called_by_a_group_role(conn: Connection, role: str):
    callable_ = ask(
        conn,
        """
        select function.oid::regprocedure::text
        from pg_proc as function
        where function.pronamespace = 'pgflow'::regnamespace
          and function.proname like '\\_%%'
          and has_function_privilege(%s, function.oid, 'execute')
        """,
        role,
    )
    assert callable_ == []


def test_search_path_is_pinned_where_callers_come_in(conn: Connection):
    loose = ask(
        conn,
        """
        select function.oid::regprocedure::text
        from pg_proc as function
        where function.pronamespace = 'pgflow'::regnamespace
          and (function.prosqlbody is null or function.prosecdef)
          and (function.proname not like '\\_%%' or function.prosecdef)
          and not exists (
            select from unnest(function.proconfig) as setting
            where setting like 'search_path=%%'
          )
        """,
    )
    assert loose == []


def test_every_foreign_key_has_an_index_that_starts_with_its_columns(conn: Connection):
    unindexed = ask(
        conn,
        """
        select foreign_key.conrelid::regclass || '.' || foreign_key.conname
        from pg_constraint as foreign_key
        where foreign_key.connamespace = 'pgflow'::regnamespace
          and foreign_key.contype = 'f'
          and not exists (
            select from pg_index as index
            where index.indrelid = foreign_key.conrelid
              and (index.indkey::int2[])[0:cardinality(foreign_key.conkey) - 1]
                @> foreign_key.conkey
          )
        """,
    )
    assert unindexed == []


def test_plpgsql_check_finds_nothing_wrong_in_any_function(conn: Connection):
    available = ask(
        conn, "select name from pg_available_extensions where name = %s", "plpgsql_check"
    )
    if not available:
        pytest.skip("this PostgreSQL has no plpgsql_check")
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("create extension plpgsql_check schema public"))
        wrong = ask(
            conn,
            """
            select format(
              '%%s line %%s: %%s: %%s',
              found.functionid::regprocedure, found.lineno, found.level, found.message
            )
            from pg_proc as function
            join pg_language as language on language.oid = function.prolang,
              public.plpgsql_check_function_tb(
                function.oid, performance_warnings => false, extra_warnings => true
              ) as found
            where function.pronamespace = 'pgflow'::regnamespace
              and language.lanname = 'plpgsql'
              and function.prorettype <> 'trigger'::regtype
            """,
        )
    assert wrong == [], "\n".join(wrong)
