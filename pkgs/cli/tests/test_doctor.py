"""What the doctor finds, and what it says to do about it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pgflow_cli.doctor import Finding, examine
from pgflow_cli.doctor import schema as schema_part
from pgflow_cli.doctor import server as server_part
from pgflow_cli.doctor.schema import expected_indexes
from pgflow_core_sql import Migrator

from .conftest import Command


def findings(conn: psycopg.Connection[Any]) -> list[Finding]:
    return list(examine(conn))


def of(subject: str, found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.subject == subject]


def severities(subject: str, conn: psycopg.Connection[Any]) -> list[str]:
    return [each.severity for each in of(subject, findings(conn))]


@contextmanager
def user(conn: psycopg.Connection[Any], db: str, group: str | None) -> Iterator[Any]:
    """A connection of a fresh user, in a group role or in none."""
    name = f"user_{uuid4().hex[:10]}"
    conn.execute(f"create role {name} login {f'in role {group}' if group else ''}".encode())
    url = db.replace("//postgres@", f"//{name}@")
    with psycopg.connect(url, autocommit=True) as own:
        yield own
    conn.execute(f"drop role {name}".encode())


def test_a_database_that_is_well_needs_nothing_done(conn: psycopg.Connection[Any]):
    found = findings(conn)
    # The tests' server is fast and not durable.
    serious = {each.subject for each in found if each.severity in ("warning", "bad")}
    assert serious == {"durability"}
    assert {"connection", "rights", "schema", "indexes", "queue"} <= {
        each.subject for each in found
    }
    assert all(each.advice for each in found if each.severity in ("warning", "bad"))


def test_a_schema_that_is_missing_or_old_is_told_and_ends_the_examination(
    conn: psycopg.Connection[Any],
):
    conn.execute("drop schema pgflow cascade")
    found = findings(conn)
    assert found[-1].subject == "schema"
    assert found[-1].severity == "bad"
    assert "pgflow install" in (found[-1].advice or "")


def test_a_schema_of_a_newer_version_is_told(conn: psycopg.Connection[Any]):
    conn.execute("insert into pgflow.schema_migrations values (999, 'future', 'x')")
    assert severities("schema", conn) == ["bad"]


def test_a_role_that_was_made_after_the_schema_is_told_what_gives_it_its_rights(
    conn: psycopg.Connection[Any], db: str
):
    conn.execute("revoke all on schema pgflow from pgflow_worker")
    conn.execute("revoke all on all functions in schema pgflow from pgflow_worker")
    (own,) = of("schema", findings(conn))
    assert own.severity == "bad"
    assert "rights of role pgflow_worker are missing" in own.says
    with user(conn, db, "pgflow_worker") as worker:
        (told,) = of("schema", findings(worker))
        assert "pgflow install" in (told.advice or "")
    Migrator(conn).migrate()
    assert severities("schema", conn) == ["good"]


def test_indexes_that_are_missing_or_invalid_are_named(conn: psycopg.Connection[Any]):
    assert "step_tasks_claim_idx" in expected_indexes()
    conn.execute("drop index pgflow.step_tasks_claim_idx")
    conn.execute(
        "update pg_index set indisvalid = false where indexrelid = 'pgflow.runs_pkey'::regclass"
    )
    told = [each.says for each in of("indexes", findings(conn))]
    assert any("step_tasks_claim_idx" in each for each in told)
    assert any("runs_pkey" in each for each in told)


def test_a_transaction_that_holds_back_is_named_with_how_to_end_it(
    conn: psycopg.Connection[Any], db: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server_part, "_OLD", timedelta(0))
    with psycopg.connect(db, application_name="forgotten") as idle:
        idle.execute("create temporary table mine ()")
        pid = idle.info.backend_pid
        found = [each for each in of("transactions", findings(conn)) if each.severity == "warning"]
    (held,) = found
    assert "forgotten" in held.says
    assert f"pg_terminate_backend({pid})" in (held.advice or "")


def test_dead_rows_and_bloat_are_told(
    conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(schema_part, "_DEAD_ROWS", 1)
    monkeypatch.setattr(schema_part, "_WASTED", 1000)
    conn.execute("select pgflow.create_flow('made')")
    conn.execute("select pgflow.add_step('made', 'only')")
    conn.execute("select pgflow.start_flows('made', array_fill('1'::jsonb, array[3000]))")
    conn.execute("delete from pgflow.runs")
    conn.execute("analyze pgflow.runs")
    conn.execute("select pg_stat_force_next_flush()")
    found = findings(conn)
    assert any("runs has 3,000" in each.says for each in of("dead rows", found))
    assert any("runs_pkey" in each.says for each in of("bloat", found))


def test_rights_are_told_by_role(conn: psycopg.Connection[Any], db: str):
    with user(conn, db, None) as nobody:
        found = findings(nobody)
        (rights,) = of("rights", found)
        assert rights.severity == found[-1].severity == "bad"
        assert "grant" in (rights.advice or "")
    with user(conn, db, "pgflow_client") as client:
        rights = of("rights", findings(client))
        assert [each.severity for each in rights] == ["good", "note"]
        assert "pgflow_client" in rights[0].says
    with user(conn, db, "pgflow_reader") as reader:
        assert of("queue", findings(reader))


def test_work_that_nobody_does_is_told(conn: psycopg.Connection[Any]):
    conn.execute("select pgflow.create_flow('made')")
    conn.execute("select pgflow.add_step('made', 'only')")
    conn.execute("select pgflow.start_flow('made', '1')")
    (queue,) = of("queue", findings(conn))
    assert queue.severity == "bad"
    assert "made" in queue.says
    worker = str(uuid4())
    conn.execute("select pgflow.register_worker(%s, array['made'], 'box')", (worker,))
    assert severities("queue", conn) == ["good"]
    conn.execute("select pgflow.claim_tasks(array['made'], 1, %s)", (worker,))
    conn.execute("update pgflow.workers set last_heartbeat_at = now() - interval '1 minute'")
    (lost,) = of("workers", findings(conn))
    assert lost.severity == "bad"
    assert "1 tasks" in lost.says


def test_a_worker_that_serves_a_retired_version_alone_is_told(conn: psycopg.Connection[Any]):
    for steps in ("a", "b"):
        conn.execute(
            "select pgflow.ensure_flow_compiled('made', jsonb_build_object("
            "'steps', jsonb_build_array(jsonb_build_object('slug', %s::text))), "
            "make_version => true)",
            (steps,),
        )
    conn.execute("select pgflow.retire_flow_version('made', 1)")
    conn.execute("select pgflow.register_worker(gen_random_uuid(), array['made', 'made@2'], 'new')")
    assert severities("workers", conn) == ["good"]
    conn.execute("select pgflow.register_worker(gen_random_uuid(), array['made'], 'old')")
    (told, _) = of("workers", findings(conn))
    assert (told.severity, told.says) == (
        "warning",
        "old serves version 1 of made, which is retired",
    )
    assert "pgflow flows use made 1" in (told.advice or "")


def test_the_command_exits_with_3_where_something_should_be_done(
    pgflow: Command, conn: psycopg.Connection[Any]
):
    done = pgflow("doctor")
    assert done.code == 3
    assert "durability" in done.out
    assert "→" in done.out
    as_json = json.loads(pgflow("doctor", "--json").out)
    assert {"subject", "severity", "says", "advice"} <= set(as_json[0])
