"""Calling handlers in tests without a worker: contexts made by hand."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from typing_extensions import TypeVar

from pgflow_dsl.cancellation import Cancellation
from pgflow_dsl.context import Context
from pgflow_dsl.surroundings import Surroundings

__all__ = ["make_context"]

R = TypeVar("R", default=Any)

_MISSING: Final[Any] = object()
_SOME_RUN: Final = UUID(int=1)


def make_context(
    *,
    run_id: UUID = _SOME_RUN,
    flow_slug: str = "flow",
    step_slug: str = "step",
    task_index: int = 0,
    attempt: int = 1,
    timeout: timedelta = timedelta(minutes=1),
    logger: logging.Logger | None = None,
    resources: R = _MISSING,
    connection: Any = _MISSING,
    flow_input: Any = _MISSING,
    emitted: list[Any] | None = None,
) -> Context[R]:
    """Return a context to call a handler with in a test: `publish(make_context(), page)`.

    Args:
        run_id: The run; made up.
        flow_slug: The flow.
        step_slug: The step.
        task_index: The element's position.
        attempt: Which attempt it is, from 1.
        timeout: Time until the deadline.
        logger: What the handler writes its log to.
        resources: What the handler finds as `ctx.resources`.
        connection: What it finds as `ctx.connection`.
        flow_input: What `ctx.flow_input()` gives it.
        emitted: Gets what the handler emits, as clients see it; None forgets it.

    Returns:
        A context. What was not given raises `ContextUnavailable` when it is used. To see a handler
        stop, set its event: `context.cancelled.set("the test says so")`.
    """
    deadline = datetime.now(UTC) + timeout
    return Context(
        run_id=run_id,
        flow_slug=flow_slug,
        step_slug=step_slug,
        task_index=task_index,
        attempt=attempt,
        deadline=deadline,
        logger=logger or logging.getLogger("pgflow.task"),
        cancelled=Cancellation(deadline),
        surroundings=_Given(resources, connection, flow_input, emitted),
    )


@dataclass(frozen=True, slots=True)
class _Given(Surroundings):
    """Surroundings that a test has made up."""

    given_resources: Any
    given_connection: Any
    given_input: Any
    emitted: list[Any] | None

    def resources(self) -> Any:
        if self.given_resources is _MISSING:
            return Surroundings.resources(self)
        return self.given_resources

    def connection(self) -> Any:
        if self.given_connection is _MISSING:
            return Surroundings.connection(self)
        return self.given_connection

    def read_flow_input(self) -> Any:
        if self.given_input is _MISSING:
            return Surroundings.read_flow_input(self)
        return self.given_input

    def emit(self, text: str) -> None:
        if self.emitted is not None:
            self.emitted.append(json.loads(text))
