"""The page about stalled work, done: its queries find what they are to find."""

from typing import Any

import psycopg

from tests.deploy.pages import blocks


def test_the_query_for_locks_names_who_holds_a_run_though_nobody_waits(
    db: str, conn: psycopg.Connection[Any]
):
    [query] = [each for each in blocks("../operate/stalled", "sql") if "pg_locks" in each]
    at_once = query.replace("5 seconds", "0 seconds").encode()
    for statement in (
        "select pgflow.create_flow('shop')",
        "select pgflow.add_step('shop', 'pack')",
        "select pgflow.start_flow('shop', '1')",
    ):
        conn.execute(statement.encode())
    assert conn.execute(at_once).fetchall() == []
    with psycopg.connect(db) as reader, psycopg.connect(db) as holder:
        reader.execute("select from pgflow.runs")
        holder.execute("select from pgflow.runs for update")
        named = [pid for pid, *_ in conn.execute(at_once)]
        assert named == [holder.info.backend_pid]
