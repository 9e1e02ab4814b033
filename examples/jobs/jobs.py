"""Background jobs: functions that whoever sends to them does not wait for."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any, TypeAlias

import psycopg
from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Job, job
from pgflow_worker.testing import running_worker
from psycopg.types.json import Jsonb
from pydantic import BaseModel


class Message(BaseModel):
    """What is sent, and to whom."""

    to: str
    text: str


# A job of a text, whatever it takes.
AnyJob: TypeAlias = Job[..., Any, Any, str]


@job(max_attempts=5, base_delay=timedelta(seconds=2))
async def deliver(message: Message) -> str:
    """Stand for an e-mail that is sent."""
    return f"to {message.to}: {message.text}"


@job
def welcome(name: str) -> str:
    """Is started by a trigger, for each new row of a table."""
    return f"welcome, {name}"


TRIGGER = """
create table if not exists members (name text);
create or replace trigger welcome after insert on members
  referencing new table as sent_rows
  for each statement execute function pgflow.send_rows('welcome', 'name');
"""


async def main() -> None:
    """Send by Python, by SQL and by a trigger."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    jobs: list[AnyJob] = [deliver, welcome]
    async with running_worker(jobs, database_url), AsyncClient(database_url) as client:
        run = await client.send(deliver, Message(to="ada", text="hello"))
        print(await run.result())

        # The same key finds the same run: it is delivered once.
        twice = [
            await client.send(deliver, Message(to="bob", text="hi"), idempotency_key="hi bob")
            for _ in range(2)
        ]
        print(f"one run: {twice[0].run_id == twice[1].run_id}")

        runs = await client.send_many(deliver, [Message(to=n, text="hey") for n in ("cyd", "dee")])
        print([await each.result() for each in runs])

        with psycopg.connect(database_url) as conn:
            conn.execute("select pgflow.send('deliver', %s)", [Jsonb({"to": "gus", "text": "yo"})])
            conn.execute(TRIGGER)
            conn.execute("insert into members values ('eve'), ('fay')")
        print(await newest(client, deliver, 1))
        print(sorted(await newest(client, welcome, 2)))


async def newest(client: AsyncClient, flow: AnyJob, count: int) -> list[str]:
    """Wait for the newest runs of a job, and return what came of them."""
    found: list[str] = []
    async with aclosing(client.list_runs(flow)) as summaries:
        async for summary in summaries:
            run = await client.get_run(summary.run_id, flow)
            found.append(await run.result())
            if len(found) == count:
                break
    return found


if __name__ == "__main__":
    asyncio.run(main())
