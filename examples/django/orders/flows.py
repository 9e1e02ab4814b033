"""The flow that carries an order out. Handlers that are not async run in threads of the worker."""

import time

from pgflow_dsl import Context, Flow
from pydantic import BaseModel


class Line(BaseModel):
    """So many pieces of a product."""

    product: str
    pieces: int


class Placed(BaseModel):
    """What a customer wants, and how fast it is packed."""

    lines: list[Line]
    seconds_a_piece: float = 0.3


order = Flow("order", input=Placed)


@order.step
def reserve(placed: Placed = order.input) -> list[Line]:
    """Put aside what is there."""
    return [line for line in placed.lines if line.pieces > 0]


@order.map(over=reserve.output)
def pack(line: Line, ctx: Context, placed: Placed = order.input) -> str:
    """Pack one line; whoever watches sees each piece go in."""
    for piece in range(1, line.pieces + 1):
        time.sleep(placed.seconds_a_piece)
        # If the order was cancelled meanwhile, this is where the thread stops.
        ctx.emit(f"{line.product}: {piece} of {line.pieces}")
    return f"{line.pieces} x {line.product}"


@order.step
def ship(parcels: list[str] = pack.output) -> str:
    """Send the parcels."""
    return f"shipped: {', '.join(parcels)}"
