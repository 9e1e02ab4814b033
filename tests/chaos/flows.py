"""The flows of the chaos suite: every shape and every kind of handler, with outputs that tell.

What a handler returns names the execution that made it and those it was made of, so that it can be
told afterwards whether what is recorded was recorded by the attempt that counts, and whether
dependents got what is recorded. The values follow from the input alone, whatever is killed.
"""

import asyncio
import time
from datetime import timedelta

from pgflow_dsl import Context, Flow
from pydantic import BaseModel

from tests.chaos.ledger import note

# Kills cost attempts, and must not use them up.
PATIENT = {"max_attempts": 100, "base_delay": timedelta(0)}


class Made(BaseModel):
    """What every handler returns."""

    value: int
    attempt: int
    token: str
    of: list[str] = []


def made(ctx: Context, value: int, *of: Made | None) -> Made:
    """Note the execution and name it in the output."""
    token = note(ctx).token
    sources = [each.token for each in of if each is not None]
    return Made(value=value, attempt=ctx.attempt, token=token, of=sources)


def moment(number: int) -> float:
    """Anything up to a second, so that at any kill something is under way."""
    return 0.03 * (number % 30)


single = Flow("single", input=int, **PATIENT)


@single.step
async def only(ctx: Context, number: int = single.input) -> Made:
    await asyncio.sleep(moment(number))
    return made(ctx, number)


chain = Flow("chain", input=int, **PATIENT)


@chain.step
async def link_1(ctx: Context, number: int = chain.input) -> Made:
    return made(ctx, number + 1)


@chain.step
def link_2(ctx: Context, before: Made = link_1.output) -> Made:
    time.sleep(moment(before.value))
    return made(ctx, before.value + 1, before)


@chain.step
async def link_3(ctx: Context, before: Made = link_2.output) -> Made:
    await asyncio.sleep(moment(before.value))
    return made(ctx, before.value + 1, before)


@chain.step
def link_4(ctx: Context, before: Made = link_3.output) -> Made:
    return made(ctx, before.value + 1, before)


@chain.step
async def link_5(ctx: Context, before: Made = link_4.output) -> Made:
    return made(ctx, before.value + 1, before)


fan = Flow("fan", input=int, **PATIENT)


@fan.step
async def spread(number: int = fan.input) -> list[int]:
    return list(range(number % 20))


@fan.map(over=spread.output)
async def each(element: int, ctx: Context) -> Made:
    await asyncio.sleep(moment(element + 1))
    return made(ctx, element * element)


@fan.step
async def total(ctx: Context, all_of_them: list[Made] = each.output) -> Made:
    return made(ctx, sum(one.value for one in all_of_them), *all_of_them)


class Choice(BaseModel):
    number: int
    is_even: bool


choice = Flow("choice", input=Choice, **PATIENT)


@choice.step(when={choice: {"is_even": True}}, when_unmet="skip")
async def even(ctx: Context, chosen: Choice = choice.input) -> Made:
    return made(ctx, chosen.number)


@choice.step(when_not={choice: {"is_even": True}}, when_unmet="skip")
def odd(ctx: Context, chosen: Choice = choice.input) -> Made:
    return made(ctx, -chosen.number)


@choice.step
async def either(
    ctx: Context, one: Made | None = even.output, other: Made | None = odd.output
) -> Made:
    await asyncio.sleep(moment(abs((one or other or Made(value=1, attempt=0, token="")).value)))
    return made(ctx, (one or other).value, one, other)  # type: ignore[union-attr]


flaky = Flow("flaky", input=int, **PATIENT)


class Planned(Exception):
    """A failure that is meant to happen."""


@flaky.step(timeout=timedelta(seconds=2))
async def stumble(ctx: Context, number: int = flaky.input) -> Made:
    if ctx.attempt <= number % 3:
        note(ctx)
        raise Planned(f"planned failure of attempt {ctx.attempt}")
    if number % 9 == 0 and ctx.attempt == 1:
        note(ctx)
        await asyncio.sleep(600)
    return made(ctx, number)


@flaky.step(max_attempts=2, when_exhausted="skip", base_delay=timedelta(seconds=1))
def never(ctx: Context, before: Made = stumble.output) -> Made:
    note(ctx)
    raise Planned(f"planned failure of attempt {ctx.attempt}")


@flaky.step
async def anyway(
    ctx: Context, before: Made = stumble.output, missing: Made | None = never.output
) -> Made:
    assert missing is None
    return made(ctx, before.value + 1, before)


crunch = Flow("crunch", input=int, **PATIENT)


@crunch.step(executor="process")
def grind(ctx: Context, number: int = crunch.input) -> Made:
    time.sleep(moment(number))
    return made(ctx, sum(range(number * 1000)))


@crunch.step
def polish(ctx: Context, ground: Made = grind.output) -> Made:
    return made(ctx, ground.value % 1_000_007, ground)


long = Flow("long", input=int, **PATIENT)


@long.step
async def endure(ctx: Context, number: int = long.input) -> Made:
    # A worker that was frozen meanwhile reports at once when it wakes up, while another is at it.
    await asyncio.sleep(8)
    return made(ctx, number)


@long.step
def recover(ctx: Context, before: Made = endure.output) -> Made:
    return made(ctx, before.value + 1, before)


pay = Flow("pay", input=int, **PATIENT)

EFFECT = "insert into chaos.effects (run_id, step_slug, token) values (%s, %s, %s)"


@pay.step(transactional=True)
async def charge(ctx: Context, number: int = pay.input) -> Made:
    charged = made(ctx, number)
    await ctx.connection.execute(EFFECT, (ctx.run_id, ctx.step_slug, charged.token))
    await asyncio.sleep(moment(number))
    return charged


@pay.step(transactional=True)
def book(ctx: Context, before: Made = charge.output) -> Made:
    booked = made(ctx, before.value + 1, before)
    ctx.connection.execute(EFFECT, (ctx.run_id, ctx.step_slug, booked.token))
    time.sleep(moment(before.value))
    return booked


blocking = Flow("blocking", input=int, **PATIENT)


@blocking.step
async def block(ctx: Context, seconds: int = blocking.input) -> Made:
    # What nobody should do: it holds up everything on the worker's event loop.
    time.sleep(seconds)  # noqa: ASYNC251
    return made(ctx, seconds)
