"""Steps that run on a condition: a ticket takes one way or another."""

import asyncio

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from pydantic import BaseModel


class Ticket(BaseModel):
    """What somebody wants."""

    text: str
    plan: str = "free"


class Verdict(BaseModel):
    """What it is about."""

    is_urgent: bool
    language: str


support = Flow("support", input=Ticket)


@support.step
def classify(ticket: Ticket = support.input) -> Verdict:
    """Stand for a model that reads tickets."""
    is_urgent = "down" in ticket.text
    return Verdict(is_urgent=is_urgent, language="fr" if "bonjour" in ticket.text else "en")


@support.step(when_not={classify: {"language": "en"}})
def translate(ticket: Ticket = support.input) -> str:
    """Runs only where there is something to translate; else dependents get None."""
    return f"(translated) {ticket.text}"


@support.step(when={classify: {"is_urgent": True}, support: {"plan": "pro"}})
def page_somebody(text: str | None = translate.output, ticket: Ticket = support.input) -> str:
    """Runs if both hold: on the output of a step, and on the flow's input."""
    return f"paged: {text or ticket.text}"


@support.step(when_not={classify: {"is_urgent": True}})
def queue_up(ticket: Ticket = support.input) -> str:
    """Runs for all that is not urgent."""
    return f"queued for tomorrow: {ticket.text}"


TICKETS = [
    Ticket(text="how do I export?"),
    Ticket(text="bonjour, it is down", plan="pro"),
    Ticket(text="it is down", plan="free"),
]


async def main() -> None:
    """Tell for each ticket which steps ran, and which were skipped."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([support], database_url), AsyncClient(database_url) as client:
        for ticket in TICKETS:
            run = await client.start_flow(support, ticket)
            print(await run.result())
            for step in (await run.progress()).steps:
                print(f"  {step.step_slug}: {step.status}")


if __name__ == "__main__":
    asyncio.run(main())
