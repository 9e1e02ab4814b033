"""A flow of two steps: greet somebody, then say it louder."""

import asyncio

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker

hello = Flow("hello", input=str)


@hello.step
async def greet(name: str = hello.input) -> str:
    """Runs on the worker's event loop."""
    return f"Hello, {name}"


@hello.step
def shout(greeting: str = greet.output) -> str:
    """Is not async, so it runs in a thread."""
    return f"{greeting.upper()}!"


async def main() -> None:
    """Serve the flow, start a run of it, and print what came of it."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([hello], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(hello, "Ada")
        print(await run.result_of(shout))


if __name__ == "__main__":
    asyncio.run(main())
