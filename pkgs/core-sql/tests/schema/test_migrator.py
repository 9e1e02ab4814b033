"""Upgrading: what was installed step by step is what a fresh install makes, to the last byte."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_core_sql import (
    MigrationChanged,
    MigrationFailed,
    Migrator,
    SchemaTooNew,
    install_script,
    sqlfiles,
)

Connection = psycopg.Connection[Any]

VERSIONS: Final = [migration.version for migration in sqlfiles.migrations()]
# Functions and views of an earlier version: with other parameters, names, results and columns.
EARLIER: Final = """
create function pgflow.start_flow(flow_slug text, input jsonb) returns void language sql as '';
create function pgflow.heartbeat(id uuid) returns boolean language sql as 'select false';
create function pgflow.schema_version() returns text language sql as $$select 'one'$$;
create function pgflow.run_id_at(instant timestamptz, extra int) returns uuid
language sql begin atomic select gen_random_uuid(); end;
create view pgflow.queue_depth as select 'none' as depth;
"""
RECORDED: Final = "select version, name, digest from pgflow.schema_migrations order by 1"


@pytest.fixture(scope="module")
def pg_dump(postgres: EmbeddedServer) -> Path:
    """The pg_dump of the server, or another that is as new."""
    own = postgres.binaries.path / "pg_dump"
    found = str(own) if own.exists() else shutil.which("pg_dump")
    if found is None or not _serves(found, postgres.binaries.major):
        pytest.skip("there is no pg_dump for this server")
    return Path(found)


def _serves(program: str, major: int) -> bool:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.split()[2].split(".")[0]) >= major


def schema_of(pg_dump: Path, url: str) -> str:
    """Give the schema as the server's own tool writes it."""
    done = subprocess.run(
        [str(pg_dump), "--schema-only", "--schema=pgflow", url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # A password against other commands in the file, new each time.
    return "\n".join(
        line
        for line in done.stdout.splitlines()
        if not line.startswith(("\\restrict", "\\unrestrict"))
    )


def grow_to(conn: Connection, version: int) -> None:
    """Bring an empty database to an earlier version."""
    conn.execute("drop schema if exists pgflow cascade")
    conn.execute(sqlfiles.bootstrap().text.encode())
    for migration in sqlfiles.migrations():
        if migration.version <= version:
            conn.execute(migration.text.encode())
            conn.execute(
                "insert into pgflow.schema_migrations (version, name, digest) values (%s, %s, %s)",
                (migration.version, migration.name, migration.digest),
            )
    conn.execute("insert into pgflow.schema_migrations values (0, 'functions', 'of another one')")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migrated_schema_is_that_of_a_fresh_install(
    db: str, conn: Connection, pg_dump: Path, version: int
):
    fresh, recorded = schema_of(pg_dump, db), conn.execute(RECORDED).fetchall()
    grow_to(conn, version)
    conn.execute(EARLIER.encode())
    assert schema_of(pg_dump, db) != fresh
    report = Migrator(db).migrate()
    assert (report.before, report.after) == (version, VERSIONS[-1])
    assert schema_of(pg_dump, db) == fresh
    assert conn.execute(RECORDED).fetchall() == recorded
    assert Migrator(db).pending() == ()


def test_migrating_again_changes_nothing(db: str, pg_dump: Path):
    before = schema_of(pg_dump, db)
    assert Migrator(db).migrate().applied == ()
    assert schema_of(pg_dump, db) == before


def test_the_printed_script_makes_the_same_schema(db: str, conn: Connection, pg_dump: Path):
    fresh, recorded = schema_of(pg_dump, db), conn.execute(RECORDED).fetchall()
    conn.execute("drop schema pgflow cascade")
    conn.execute(install_script().encode())
    assert schema_of(pg_dump, db) == fresh
    assert conn.execute(RECORDED).fetchall() == recorded


def test_the_printed_script_upgrades_as_the_migrator_does(db: str, conn: Connection, pg_dump: Path):
    fresh, recorded = schema_of(pg_dump, db), conn.execute(RECORDED).fetchall()
    grow_to(conn, VERSIONS[2])
    conn.execute(EARLIER.encode())
    conn.execute(install_script().encode())
    assert schema_of(pg_dump, db) == fresh
    assert conn.execute(RECORDED).fetchall() == recorded


def test_runs_go_on_after_an_upgrade(db: str, conn: Connection):
    conn.execute("select pgflow.create_flow('site'); select pgflow.add_step('site', 'a')")
    [run_id] = conn.execute("select run_id from pgflow.start_flow('site', '1')").fetchone() or ()
    conn.execute(
        "create function pgflow.start_flow(flow_slug text, input jsonb) returns void"
        " language sql as ''"
    )
    with pytest.raises(psycopg.errors.AmbiguousFunction):
        conn.execute("select pgflow.start_flow('site', '1')")
    Migrator(db).migrate()
    conn.execute("select pgflow.start_flow('site', '1')")
    assert conn.execute(
        "select pgflow.get_run_progress(%s) ->> 'status'", (run_id,)
    ).fetchone() == ("started",)


def test_what_users_have_made_in_the_schema_stays(db: str, conn: Connection):
    conn.execute("create function pgflow.mine() returns int language sql as 'select 1'")
    conn.execute("create view pgflow.my_runs as select run_id from pgflow.run_overview")
    Migrator(db).migrate()
    assert conn.execute("select pgflow.mine(), count(*) from pgflow.my_runs").fetchone() == (1, 0)


def test_a_view_that_users_depend_on_is_not_taken_from_them(
    db: str, conn: Connection, pg_dump: Path
):
    grow_to(conn, VERSIONS[0])
    conn.execute(EARLIER.encode())
    conn.execute("create view public.mine as select depth from pgflow.queue_depth")
    before = schema_of(pg_dump, db)
    with pytest.raises(MigrationFailed, match=r"queue_depth.*nothing was changed.*depend on it"):
        Migrator(db).migrate()
    assert schema_of(pg_dump, db) == before


def test_a_newer_schema_is_left_alone(db: str, conn: Connection, pg_dump: Path):
    conn.execute("insert into pgflow.schema_migrations values (9999, 'future', 'x')")
    conn.execute("alter function pgflow.start_flow rename to start_flow_otherwise")
    before = schema_of(pg_dump, db)
    for act in (Migrator(db).migrate, Migrator(db).pending):
        with pytest.raises(SchemaTooNew, match=r"version 9999.*upgrade the pgflow packages"):
            act()
    assert schema_of(pg_dump, db) == before


def test_a_migration_of_another_build_is_refused(db: str, conn: Connection):
    conn.execute("update pgflow.schema_migrations set digest = 'x' where version = 1")
    with pytest.raises(MigrationChanged, match="0001_"):
        Migrator(db).migrate()


def test_of_many_who_migrate_at_once_one_does(db: str, conn: Connection):
    conn.execute("drop schema pgflow cascade")
    with ThreadPoolExecutor(3) as pool:
        reports = [each.result() for each in [pool.submit(Migrator(db).migrate) for _ in range(3)]]
    assert sorted(len(report.applied) for report in reports) == [0, 0, len(VERSIONS)]
