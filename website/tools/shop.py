"""The flows in the pictures: a shop that packs and ships what is ordered."""

import asyncio
from datetime import timedelta
from typing import Literal

from pgflow_dsl import Context, Flow
from pydantic import BaseModel, Field


class Address(BaseModel):
    """Where an order goes."""

    street: str
    city: str
    country: Literal["NL", "DE", "FR"] = "NL"


class Order(BaseModel):
    """What a customer wants."""

    number: int = Field(ge=1, description="As it stands on the receipt")
    items: list[str]
    express: bool = Field(default=False, description="By courier, today")
    address: Address


order = Flow("order", input=Order, max_attempts=3, base_delay=timedelta(seconds=1))


@order.step
async def reserve(placed: Order = order.input) -> list[str]:
    """Take the items from the shelves."""
    await asyncio.sleep(0.4)
    return placed.items


@order.map(over=reserve.output)
async def pack(item: str, ctx: Context) -> str:
    """Pack one item."""
    await asyncio.sleep(0.3 + 0.8 * ctx.task_index)
    if item == "vase" and ctx.attempt == 1:
        raise RuntimeError("it slipped, and broke")
    if item == "unicorn":
        raise LookupError("there is no unicorn on the shelves")
    return f"box of {item}"


@order.step(when={order: {"express": True}})
async def book_courier(placed: Order = order.input) -> str:
    """Find somebody who takes it today."""
    await asyncio.sleep(0.9)
    return f"courier to {placed.address.city}"


@order.step(when_exhausted="skip")
async def write_card(ctx: Context, placed: Order = order.input) -> str:
    """Write a card, word by word."""
    words = f"Dear customer, your order {placed.number} comes with our best wishes.".split()
    for word in words:
        await ctx.emit(f"{word} ")
        await asyncio.sleep(0.12)
    return " ".join(words)


@order.step
async def ship(
    boxes: list[str] = pack.output,
    courier: str | None = book_courier.output,
    card: str | None = write_card.output,
) -> dict[str, object]:
    """Send it on its way."""
    await asyncio.sleep(0.5)
    return {"boxes": boxes, "by": courier or "post", "card": card}


@order.step(after=[ship])
async def send_invoice(placed: Order = order.input) -> str:
    """Ask for the money."""
    return f"invoice {placed.number}"


restock = Flow("restock", input=str)


@restock.step
async def refill(item: str = restock.input) -> str:
    """Order more of an item."""
    await asyncio.sleep(0.05)
    return item
