"""What runs start with, and what has to come of them."""

import random
from dataclasses import dataclass
from typing import Any

from pgflow_dsl import Flow

from tests.chaos import flows
from tests.chaos.flows import Choice

LARGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A run to start.

    Attributes:
        flow: Its flow.
        input: What it starts with.
        leaf: The step whose value is the run's result.
        value: That value.
    """

    flow: Flow[Any]
    input: Any
    leaf: str
    value: int


def any_start(dice: random.Random) -> Start:
    """Make up a run of any shape."""
    number = dice.randrange(1, LARGEST)
    return dice.choice(
        [
            Start(flow=flows.single, input=number, leaf="only", value=number),
            Start(flow=flows.chain, input=number, leaf="link_5", value=number + 5),
            fan(number),
            choice(number),
            Start(flow=flows.flaky, input=number, leaf="anyway", value=number + 1),
            crunch(number),
            Start(flow=flows.pay, input=number, leaf="book", value=number + 1),
            Start(flow=flows.long, input=number, leaf="recover", value=number + 1),
        ]
    )


def fan(number: int) -> Start:
    squares = sum(element * element for element in range(number % 20))
    return Start(flow=flows.fan, input=number, leaf="total", value=squares)


def choice(number: int) -> Start:
    is_even = number % 2 == 0
    given = Choice(number=number, is_even=is_even)
    return Start(
        flow=flows.choice, input=given, leaf="either", value=number if is_even else -number
    )


def crunch(number: int) -> Start:
    ground = sum(range(number * 1000)) % 1_000_007
    return Start(flow=flows.crunch, input=number, leaf="polish", value=ground)


def blocking(seconds: int) -> Start:
    return Start(flow=flows.blocking, input=seconds, leaf="block", value=seconds)
