"""A chain of three steps: price a basket, add the tax, write the receipt."""

import asyncio
from decimal import Decimal

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient, StepCompleted
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from pydantic import BaseModel

PRICES = {"apple": Decimal("0.40"), "bread": Decimal("2.80"), "cheese": Decimal("6.30")}
TAX_RATE = Decimal("0.09")


class Basket(BaseModel):
    """What somebody buys, by product."""

    pieces: dict[str, int]


class Bill(BaseModel):
    """What it costs."""

    net: Decimal
    tax: Decimal = Decimal(0)


checkout = Flow("checkout", input=Basket)


@checkout.step
def price(basket: Basket = checkout.input) -> Bill:
    """Add up the prices."""
    net = sum((PRICES[name] * count for name, count in basket.pieces.items()), Decimal(0))
    return Bill(net=net)


@checkout.step
def add_tax(bill: Bill = price.output) -> Bill:
    """Add the tax, rounded to a cent."""
    return Bill(net=bill.net, tax=(bill.net * TAX_RATE).quantize(Decimal("0.01")))


@checkout.step
def write_receipt(basket: Basket = checkout.input, bill: Bill = add_tax.output) -> str:
    """Write it down."""
    count = sum(basket.pieces.values())
    return f"{count} pieces, {bill.net + bill.tax} of which {bill.tax} tax"


async def main() -> None:
    """Start a run, tell each step as it completes, then print the receipt."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([checkout], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(checkout, Basket(pieces={"apple": 5, "bread": 1}))
        async for event in run.events():
            if isinstance(event, StepCompleted):
                print(f"{event.step_slug} is done")
        print(await run.output_of(write_receipt))


if __name__ == "__main__":
    asyncio.run(main())
