"""Steps that hand a value on, for the tests of values."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from pgflow_dsl import Flow, Step


@dataclass
class Order:
    number: int
    lines: dict[UUID, Decimal] = field(default_factory=dict[UUID, Decimal])
    raw: bytes = b""


def chain(kind: Any) -> tuple[Step[..., Any, Any], Step[..., Any, Any]]:
    """Return a step that gives a type, and one that takes it from the first."""

    def give() -> Any: ...
    def take(value: Any) -> None: ...

    give.__annotations__["return"] = kind
    take.__annotations__["value"] = kind
    flow = Flow("f")
    giver: Any = flow.add(give)
    return giver, flow.add(take, giver.output)


def through_json(kind: Any, value: Any) -> Any:
    """Return a value after its way from one step to the next."""
    giver, taker = chain(kind)
    text = giver.dump_output(value)
    context: Any = None
    _, kwargs = taker.bind(f'{{"give": {text}}}', None, None, context)
    assert giver.load_output(text) == kwargs["value"]
    return kwargs["value"]
