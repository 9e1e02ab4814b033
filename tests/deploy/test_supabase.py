"""The page about Supabase, done: users start runs in their own name, and follow no others."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_core_sql import Migrator

from tests.deploy.pages import blocks
from tests.docs.blocks import GIVEN

ROLES = "select rolname from pg_roles where rolname !~ '^pg_'"
ADA, EVE = uuid4(), uuid4()


@pytest.fixture
def supabase(postgres: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    """A database as the page finds it, with all that it says done."""
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        before = set(admin.execute(ROLES).fetchall())
        admin.execute("create database like_supabase")
        with psycopg.connect(postgres.url("like_supabase"), autocommit=True) as conn:
            given = GIVEN / "website/docs/deploy/supabase/given.sql"
            conn.execute(given.read_bytes())
            Migrator(postgres.url("like_supabase")).migrate()
            for block in blocks("supabase", "sql"):
                conn.execute(block.encode())
            conn.execute("select pgflow.create_flow('shop')")
            conn.execute("select pgflow.add_step('shop', 'pack')")
            yield conn
        admin.execute("drop database like_supabase with (force)")
        for (role,) in set(admin.execute(ROLES).fetchall()) - before:
            admin.execute(f"drop role {role}".encode())


def ask(conn: psycopg.Connection[Any], role: str, user: Any, query: str, topic: str = "") -> Any:
    """Ask for one value as Supabase's API does: in a role, with the user's id."""
    with conn.transaction():
        conn.execute("select set_config('request.jwt.claim.sub', %s, true)", (str(user),))
        conn.execute("select set_config('realtime.topic', %s, true)", (topic,))
        conn.execute(f"set local role {role}".encode())
        return conn.execute(query.encode()).fetchall()[0][0]


def test_users_start_runs_in_their_own_name_and_follow_no_others(
    supabase: psycopg.Connection[Any],
):
    start = "select public.start_shop('[]')"
    run_id = ask(supabase, "authenticated", ADA, start)
    tags = "select tags from pgflow.runs"
    assert supabase.execute(tags).fetchall() == [({"user": str(ADA)},)]
    told = f"select count(*) from realtime.messages where topic = 'pgflow:run:{run_id}'"
    topic = f"pgflow:run:{run_id}"
    assert ask(supabase, "authenticated", ADA, told, topic) > 0
    assert ask(supabase, "authenticated", EVE, told, topic) == 0
    assert ask(supabase, "authenticated", ADA, told, "pgflow:run:another") == 0
    for role, query in (
        ("anon", start),
        ("authenticated", "select pgflow.list_runs()"),
        ("authenticated", "select count(*) from pgflow.runs"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(supabase, role, EVE, query)


def test_cron_does_what_the_page_has_it_do(supabase: psycopg.Connection[Any]):
    jobs = {command for (command,) in supabase.execute("select command from cron.job").fetchall()}
    for function in ("prune_by_policy", "requeue_stalled_tasks", "ensure_workers"):
        assert any(function in command for command in jobs), (function, jobs)
