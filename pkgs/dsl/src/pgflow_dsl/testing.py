"""Handlers in tests without a worker: contexts made by hand, and steps that run alone."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, ParamSpec, overload
from uuid import UUID

from typing_extensions import TypeVar

from pgflow_dsl._json_type import JsonType
from pgflow_dsl._problems import Refused
from pgflow_dsl._signature import read_handler
from pgflow_dsl.cancellation import Cancellation
from pgflow_dsl.context import Context
from pgflow_dsl.errors import HandlerInputInvalid
from pgflow_dsl.references import Reference
from pgflow_dsl.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pgflow_dsl.step import AnyStep, Step

__all__ = ["make_context", "run_step"]

P = ParamSpec("P")
T = TypeVar("T")

R = TypeVar("R", default=Any)

_MISSING: Final[Any] = object()
_SOME_RUN: Final = UUID(int=1)
_DEFAULT_TIMEOUT: Final = timedelta(seconds=60)


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


@overload
async def run_step(
    step: Step[P, Coroutine[Any, Any, T], Any], /, *args: P.args, **kwargs: P.kwargs
) -> T: ...
@overload
async def run_step(step: Step[P, T, Any], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
async def run_step(step: AnyStep, /, *args: Any, **kwargs: Any) -> Any:
    """Run the handler of one step as a worker would, without a database.

    `await run_step(score, "tag")` is more than `score("tag")`: arguments and output pass through
    JSON as they do between steps, what does not fit is refused, a sync handler runs in a thread,
    and the step's timeout holds.

    Args:
        step: The step; of a map, it runs for one element.
        args: What the handler takes. A context that is not given is made up.
        kwargs: The same, by name.

    Returns:
        What dependents would be given, for a map one element of it.

    Raises:
        HandlerInputInvalid: An argument does not fit its parameter, or is missing.
        HandlerOutputInvalid: The output does not fit the declared type.
        TimeoutError: The handler took longer than its step may; a thread goes on by itself.
        Exception: Whatever the handler raises.
    """
    timeout = step.options.timeout or step.flow.options.timeout or _DEFAULT_TIMEOUT
    given = _through_json(step, inspect.signature(step.fn), args, kwargs, timeout)
    async with asyncio.timeout(timeout.total_seconds()):
        if step.is_async:
            value = await step.fn(*given.args, **given.kwargs)
        else:
            value = await asyncio.to_thread(step.fn, *given.args, **given.kwargs)
    text = step.dump_output(value)
    loaded: Any = step.load_output(f"[{text}]" if step.kind == "map" else text)
    return loaded[0] if step.kind == "map" else loaded


def _through_json(
    step: AnyStep,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    timeout: timedelta,
) -> inspect.BoundArguments:
    """Bind arguments to the handler's parameters as a task would deliver them."""
    given = signature.bind_partial(*args, **kwargs)
    handler = read_handler(step.fn)
    problems: list[tuple[str, str]] = []
    for parameter in handler.parameters:
        name = parameter.name
        if parameter.is_context:
            made = make_context(flow_slug=step.flow.slug, step_slug=step.slug, timeout=timeout)
            given.arguments.setdefault(name, made)
        elif name in given.arguments:
            kind = JsonType(
                parameter.annotation, handler.names, handler.where, f"parameter {name!r}"
            )
            try:
                given.arguments[name] = kind.load(kind.dump(given.arguments[name]))
            except Refused as refused:
                problems += [
                    (f"{name}.{place}" if place else name, why) for place, why in refused.problems
                ]
        elif parameter.default is parameter.empty or isinstance(parameter.default, Reference):
            problems.append((name, "a value is missing"))
    if problems:
        raise HandlerInputInvalid(step.flow.slug, step.slug, tuple(problems))
    return given


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
