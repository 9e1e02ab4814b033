"""What becomes of errors: retries, errors that end it at once, and steps that may fail."""

import asyncio
from datetime import timedelta

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient, AttemptsFailed, RunFailed, StepSkipped
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, FinalError, Flow, RetryAfter
from pgflow_worker.testing import running_worker

# base_delay is zero, so that nobody waits here; it is 5 seconds unless you say otherwise.
order_lunch = Flow("order_lunch", input=str, max_attempts=3, base_delay=timedelta(0))


@order_lunch.step
async def call_kitchen(ctx: Context, dish: str = order_lunch.input) -> str:
    """Fails twice, as networks do, and is tried again."""
    if ctx.attempt < 3:
        raise ConnectionError("nobody picks up")
    return f"{dish}, called on attempt {ctx.attempt}"


@order_lunch.step(when_exhausted="skip", max_attempts=1)
async def add_dessert(dish: str = order_lunch.input) -> str:
    """May fail for good: dependents get None, and the run goes on."""
    raise LookupError("dessert is out")


@order_lunch.step
async def pay(
    ctx: Context, lunch: str = call_kitchen.output, dessert: str | None = add_dessert.output
) -> str:
    """Says itself when to try again, or that there is no use."""
    if "gold" in lunch:
        raise FinalError("nobody here eats gold")
    if ctx.attempt == 1:
        raise RetryAfter(timedelta(seconds=1), "the till asks for a moment")
    return f"paid for {lunch}; {dessert or 'no dessert'}"


async def main() -> None:
    """Order something that works out, then something that does not."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([order_lunch], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(order_lunch, "soup")
        failures: dict[str, int] = {}
        async for event in run.events():
            if isinstance(event, AttemptsFailed):
                failures[event.step_slug] = event.failed_attempts
            elif isinstance(event, StepSkipped):
                print(f"{event.step_slug} is skipped: {event.error_message}")
        print(f"failed attempts: {dict(sorted(failures.items()))}")
        print(await run.output_of(pay))

        run = await client.start_flow(order_lunch, "gold leaf")
        try:
            await run.wait()
        except RunFailed as failure:
            print(f"{failure.step_slug} failed on attempt {failure.attempt}: {failure.message}")


if __name__ == "__main__":
    asyncio.run(main())
