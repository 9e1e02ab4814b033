"""An order whose steps are taken back when a later one fails for good."""

import asyncio
from datetime import timedelta

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import FinalError, Flow
from pgflow_worker.testing import running_worker
from pydantic import BaseModel


class Order(BaseModel):
    """Who buys what, and where it goes."""

    number: int
    product: str
    card: str
    city: str


class Reservation(BaseModel):
    """A piece that is put aside."""

    shelf: str


class Payment(BaseModel):
    """Money that was taken."""

    reference: str


purchase = Flow("purchase", input=Order, max_attempts=3, base_delay=timedelta(0))


@purchase.step
async def reserve(order: Order = purchase.input) -> Reservation:
    """Put the piece aside. If this fails there is nothing to take back, and the run fails."""
    return Reservation(shelf=f"{order.product}-{order.number}")


@purchase.step(after=[reserve], when_exhausted="skip")
async def charge(order: Order = purchase.input) -> Payment:
    """Take the money. The order's number keeps the bank from doing so twice."""
    if order.card == "declined":
        raise FinalError("the card was declined")
    return Payment(reference=f"payment-{order.number}")


@purchase.step(when={charge: {}}, when_exhausted="skip")
async def ship(order: Order = purchase.input, shelf: Reservation = reserve.output) -> str:
    """Send it, if it is paid. `{}` asks only whether the step has completed."""
    if order.city == "Atlantis":
        raise FinalError("no carrier goes there")
    return f"{shelf.shelf} is on its way to {order.city}"


@purchase.step(when={charge: {}}, when_not={ship: {}})
async def refund(payment: Payment | None = charge.output) -> str:
    """Give the money back: it was taken, and nothing was sent."""
    assert payment is not None
    return f"{payment.reference} is given back"


@purchase.step(when_not={ship: {}})
async def put_back(shelf: Reservation = reserve.output) -> str:
    """Put the piece back on its shelf."""
    return f"{shelf.shelf} is back"


@purchase.step
async def tell_customer(
    order: Order = purchase.input,
    shipped: str | None = ship.output,
    refunded: str | None = refund.output,
) -> str:
    """Say how it ended, whichever way that was."""
    return f"order {order.number}: {shipped or refunded or 'nothing was taken, nothing is sent'}"


ORDERS = [
    Order(number=1, product="hat", card="good", city="Bergen"),
    Order(number=2, product="hat", card="good", city="Atlantis"),
    Order(number=3, product="hat", card="declined", city="Bergen"),
]


async def main() -> None:
    """Carry out three orders: one goes well, one cannot be sent, one cannot be paid."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([purchase], database_url), AsyncClient(database_url) as client:
        for order in ORDERS:
            run = await client.start_flow(purchase, order)
            print(await run.result_of(tell_customer))
            print(f"  {await run.result()}")


if __name__ == "__main__":
    asyncio.run(main())
