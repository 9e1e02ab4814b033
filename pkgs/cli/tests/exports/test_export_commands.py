"""`pgflow install` and `pgflow compile` for migration tools, and what CI asks them."""

import json
from typing import Any

from pkgs.cli.tests.conftest import Command


def test_install_writes_migrations_where_the_tool_has_them(pgflow: Command):
    assert pgflow("install", "--for", "supabase", "--check").code == 3
    assert not (pgflow.folder / "supabase").exists()

    done = pgflow("install", "--for", "supabase", "--json")

    assert done.code == 0
    assert {each["state"] for each in json.loads(done.out)} == {"written"}
    assert len(list((pgflow.folder / "supabase" / "migrations").iterdir())) > 5
    assert pgflow("install", "--for", "supabase", "--check").code == 0


def test_compile_adds_a_migration_for_a_flow_that_has_changed(pgflow: Command):
    words = ("compile", "flows:add", "--for", "dbmate")
    assert pgflow(*words).code == 0
    assert pgflow(*words, "--check").code == 0
    code = (pgflow.folder / "flows.py").read_text()
    (pgflow.folder / "flows.py").write_text(
        code.replace("input=int)", "input=int, max_attempts=9)")
    )
    assert pgflow(*words, "--check").code == 3
    assert "Written" in pgflow(*words).out
    assert len(list((pgflow.folder / "db" / "migrations").iterdir())) == 2


def test_wrong_words_about_migrations_are_usage_errors(pgflow: Command):
    assert "--out" in pgflow("install", "--for", "sql").err
    refused = pgflow("install", "--for", "alembic").err
    assert "--out" in refused
    assert "no alembic.ini" in refused
    assert "versions 1 to" in pgflow("install", "--sql", "--versions", "7-3").err
    for words in (
        ("install", "--for", "sql"),
        ("install", "--sql", "--versions", "7-3"),
        ("install", "--sql", "--versions", "x"),
        ("install", "--versions", "1"),
        ("compile", "flows", "--check"),
        ("compile", "flows", "--for", "sql", "--name", "x"),
    ):
        assert pgflow(*words).code == 2, words


def test_a_check_tells_unapplied_drifted_and_newer_apart(pgflow: Command, conn: Any):
    def check() -> tuple[int, str]:
        done = pgflow("install", "--check", "--json")
        return done.code, json.loads(done.out)["state"]

    assert check() == (0, "complete")
    conn.execute("drop function pgflow.schema_version")
    assert check() == (5, "drifted")
    missing = "function schema_version is missing"
    assert missing in pgflow("install", "--check").out
    assert f"mended: {missing}" in pgflow("install").out
    assert check() == (0, "complete")
    conn.execute("drop function pgflow.schema_version")
    conn.execute("delete from pgflow.schema_migrations where version = 0")
    assert check() == (3, "pending")
    conn.execute("update pgflow.schema_migrations set digest = 'x' where version = 1")
    assert check() == (5, "drifted")
    conn.execute("insert into pgflow.schema_migrations values (999, 'future', 'x')")
    assert check() == (6, "newer")


def test_a_part_of_the_script_is_printed_for_those_who_upgrade(pgflow: Command, conn: Any):
    conn.execute("drop schema pgflow cascade")
    for versions in ("1-2", "3-", "2"):
        conn.execute(pgflow("install", "--sql", "--versions", versions).out.encode())
    assert pgflow("install", "--check").code == 0


def test_install_tells_who_is_in_the_roles_and_prints_what_makes_them(pgflow: Command, conn: Any):
    assert "create role" in pgflow("install", "--roles", "--sql").out
    conn.execute("create role somebody login in role pgflow_client")
    try:
        done = pgflow("install", "--roles", "--json")
        assert json.loads(done.out)["roles"]["pgflow_client"] == ["somebody"]
        assert "pgflow_client starts, watches and steers runs: somebody" in (
            pgflow("install", "--roles").out
        )
    finally:
        conn.execute("drop role somebody")


def test_install_fails_for_want_of_the_roles_only_where_they_are_asked_for(
    pgflow: Command, conn: Any
):
    url = pgflow.env["PGFLOW_DATABASE_URL"]
    conn.execute("drop schema pgflow cascade")
    conn.execute("create role poor login")
    for role in ("pgflow_client", "pgflow_worker", "pgflow_reader"):
        conn.execute(f"alter role {role} rename to {role}_away")
    try:
        name = conn.execute("select current_database()").fetchone()[0]
        conn.execute(f"grant create on database {name} to poor")
        pgflow.env["PGFLOW_DATABASE_URL"] = url.replace("//postgres@", "//poor@", 1)
        assert pgflow("install").code == 0
        failed = pgflow("install", "--roles")
        assert failed.code == 1
        assert "--roles --sql" in failed.err
    finally:
        conn.execute("drop schema if exists pgflow cascade")
        conn.execute("drop owned by poor")
        conn.execute("drop role poor")
        for role in ("pgflow_client", "pgflow_worker", "pgflow_reader"):
            conn.execute(f"alter role {role}_away rename to {role}")
