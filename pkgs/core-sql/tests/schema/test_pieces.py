"""The install in pieces, as migration tools apply it, and what is not as it was installed."""

from typing import Any

import psycopg
import pytest
from pgflow_core_sql import Migrator, install_pieces, install_script, sqlfiles

NEWEST = sqlfiles.migrations()[-1].version


@pytest.fixture
def empty(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database without pgflow."""
    conn.execute("drop schema pgflow cascade")
    return conn


def apply(conn: psycopg.Connection[Any], first: int = 1, last: int | None = None) -> None:
    for piece in install_pieces(first, last):
        conn.execute(piece.sql.encode())


def test_the_script_installs_what_the_migrator_does_and_can_be_run_again(
    empty: psycopg.Connection[Any],
):
    for _ in range(2):
        empty.execute(install_script().encode())
        assert Migrator(empty).pending() == ()
    assert Migrator(empty).drift() == ()


def test_each_piece_is_one_statement(empty: psycopg.Connection[Any]):
    for piece in install_pieces():
        # The extended protocol takes no more than one.
        psycopg.Cursor(empty).execute(piece.sql.encode(), binary=True)


def test_a_version_needs_those_before_it(empty: psycopg.Connection[Any]):
    apply(empty, 1, 1)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="before 3"):
        apply(empty, 3, 3)
    apply(empty, 2, 2)
    apply(empty, 3, 3)
    assert Migrator(empty).installed() == 3


def test_functions_need_their_version(empty: psycopg.Connection[Any]):
    apply(empty, 1, 1)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is not applied"):
        empty.execute(install_pieces()[-1].sql.encode())


def test_functions_of_a_newer_pgflow_are_left_alone(conn: psycopg.Connection[Any]):
    conn.execute("insert into pgflow.schema_migrations values (999, 'future', 'x')")
    conn.execute("drop function pgflow.schema_version")
    conn.execute(install_pieces()[-1].sql.encode())
    assert conn.execute("select to_regproc('pgflow.schema_version') is null").fetchone() == (True,)


def test_a_version_of_another_file_is_refused(conn: psycopg.Connection[Any]):
    conn.execute("update pgflow.schema_migrations set digest = 'x' where version = 2")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="another file"):
        apply(conn, 2, 2)


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 99), (99, None)])
def test_there_is_no_range_of_versions_that_do_not_exist(first: int, last: int | None):
    with pytest.raises(ValueError, match="there are the versions 1 to"):
        install_pieces(first, last)


DRIFTS = {
    "function schema_version is missing": "drop function pgflow.schema_version",
    "function _decide_steps was changed": (
        "do $do$ begin execute replace(pg_get_functiondef('pgflow._decide_steps'::regproc),"
        " 'begin', 'begin /* mine */'); end $do$"
    ),
    "index runs_of_flow_idx is missing": "drop index pgflow.runs_of_flow_idx",
    "table task_attempts is missing": "drop table pgflow.task_attempts cascade",
    "view queue_depth is missing": "drop view pgflow.queue_depth",
    # As of a role that was made after the schema, or whose right somebody took away.
    "rights of role pgflow_client are missing": (
        "revoke all on schema pgflow from pgflow_client;"
        " revoke all on all functions in schema pgflow from pgflow_client;"
        " revoke all on all tables in schema pgflow from pgflow_client"
    ),
    "rights of role pgflow_worker are missing": (
        "revoke execute on function pgflow.heartbeat from pgflow_worker"
    ),
    "rights of role pgflow_reader are missing": "revoke select on pgflow.runs from pgflow_reader",
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_what_was_changed_by_hand_is_found(drift: str, conn: psycopg.Connection[Any]):
    assert Migrator(conn).drift() == ()
    conn.execute(DRIFTS[drift].encode())
    assert drift in Migrator(conn).drift()


@pytest.mark.parametrize("drift", [each for each in DRIFTS if each.startswith("rights")])
def test_to_install_once_more_gives_roles_their_rights(drift: str, conn: psycopg.Connection[Any]):
    conn.execute(DRIFTS[drift].encode())
    Migrator(conn).migrate()
    assert Migrator(conn).drift() == ()
