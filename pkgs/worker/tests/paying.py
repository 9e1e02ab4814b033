"""A flow that pays: what it writes has to happen once, whatever happens to its worker."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_dsl import Context, Flow

PATIENCE = timedelta(seconds=60)
every_kind = pytest.mark.parametrize("kind", ["async", "sync"])


def paying(kind: str, slug: str = "paying", **options: Any) -> Flow[int]:
    """Give a flow that writes two effects in one transaction, and one that follows it."""
    flow = Flow(slug, input=int, base_delay=timedelta(0))

    if kind == "async":

        @flow.step(transactional=True, **options)
        async def pay(ctx: Context, amount: int = flow.input) -> int:
            conn: psycopg.AsyncConnection = ctx.connection
            await conn.execute("insert into effects values (%s, %s)", (ctx.run_id, amount))
            await conn.execute("update accounts set balance = balance - %s", (amount,))
            return amount
    else:

        @flow.step(transactional=True, **options)
        def pay(ctx: Context, amount: int = flow.input) -> int:
            conn: psycopg.Connection = ctx.connection
            conn.execute("insert into effects values (%s, %s)", (ctx.run_id, amount))
            conn.execute("update accounts set balance = balance - %s", (amount,))
            return amount

    @flow.step
    async def confirm(amount: int = pay.output) -> int:
        return amount

    return flow


def open_books(conn: psycopg.Connection[Any]) -> None:
    """Make the tables that it writes to."""
    conn.execute("create table effects (run_id uuid, amount int)")
    conn.execute("create table accounts (balance int)")
    conn.execute("insert into accounts values (0)")


def backends(conn: psycopg.Connection[Any]) -> list[int]:
    """List the server's processes for transactional steps."""
    rows = conn.execute(
        "select pid from pg_stat_activity where application_name = 'pgflow transaction'"
        " and datname = current_database()"
    )
    return [row[0] for row in rows]


def value(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    return row and row[0]


def check(books: psycopg.Connection[Any], runs: int) -> None:
    """See that each run took effect once, whatever happened to it."""
    assert value(books, "select count(*) from pgflow.runs where status = 'completed'") == runs
    assert value(books, "select count(*) from pgflow.runs") == runs
    per_run = books.execute(
        "select count(*), sum(amount) from effects group by run_id having count(*) > 1"
    ).fetchall()
    assert per_run == []
    paid = books.execute("select count(*), -sum(amount) from effects").fetchone()
    assert paid == (runs, value(books, "select balance from accounts"))
    assert value(books, "select count(*) from pgflow.step_tasks where status <> 'completed'") == 0
