"""A user's module: a shop that packs and ships what is ordered."""

SHOP = """
from datetime import timedelta

from pgflow_dsl import Context, Flow
from pydantic import BaseModel


class Order(BaseModel):
    number: int
    items: list[str]
    gift: bool = False


class Parcel(BaseModel):
    item: str
    weight: float


order = Flow("order", input=Order, max_attempts=3, base_delay=timedelta(0))


@order.step
async def reserve(placed: Order = order.input) -> list[str]:
    return placed.items


@order.map(over=reserve.output)
def pack(item: str, ctx: Context, placed: Order = order.input) -> Parcel:
    if item == "shy" and ctx.attempt == 1:
        raise RuntimeError("dropped it")
    if item == "never":
        raise RuntimeError("out of stock")
    return Parcel(item=item, weight=len(item) + placed.number)


@order.step(when={order: {"gift": True}})
async def wrap(parcels: list[Parcel] = pack.output) -> str:
    return f"{len(parcels)} bows"


@order.step
async def ship(parcels: list[Parcel] = pack.output, bows: str | None = wrap.output) -> str:
    return f"{sum(parcel.weight for parcel in parcels):g} kg, {bows or 'plain'}"
"""
