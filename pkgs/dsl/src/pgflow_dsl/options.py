"""Options of flows and steps: their names, types and allowed values."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from pgflow_dsl.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pgflow_dsl.step import AnyStep

__all__ = ["Backoff", "ExecutorOption", "FlowOptions", "SkipMode", "StepArguments", "StepOptions"]

SkipMode: TypeAlias = Literal["fail", "skip", "skip-cascade"]
"""What becomes of a step that cannot do its work.

"fail" fails the run; "skip" leaves the step out, and dependents get None for it; "skip-cascade"
leaves out its dependents too.
"""

Backoff: TypeAlias = Literal["exponential", "fixed"]
"""How long a failed task waits: base_delay * 2^attempts, or base_delay each time."""

ExecutorOption: TypeAlias = Literal["thread", "process"] | Executor | Callable[[], Executor]
"""Where a sync handler runs; None in options means a thread.

A function is called in the worker, once, when the executor is first needed: what connects to a
cluster should not do so in each process that imports the flow, those of the cluster among them.
"""

BACKOFFS: Final = ("exponential", "fixed")
SKIP_MODES: Final = ("fail", "skip", "skip-cascade")
_LARGEST_INT: Final = 2**31 - 1


class StepArguments(TypedDict, total=False):
    """The options of `flow.step` and `flow.map` that do not change a step's output type."""

    slug: str
    after: Sequence[AnyStep]
    executor: ExecutorOption | None
    transactional: bool
    max_attempts: int | None
    base_delay: timedelta | None
    timeout: timedelta | None
    start_delay: timedelta | None
    max_delay: timedelta | None
    jitter: float | None
    backoff: Backoff | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOptions:
    """What steps of a flow do unless they say otherwise. None leaves it to the database's default.

    Attributes:
        max_attempts: How often a task is tried in all, 1 or more. Default 3.
        base_delay: Unit of the backoff, which is base_delay * 2^attempts. Default 5 s.
        timeout: Longest time of one attempt, 1 s or more. Default 60 s.
        max_delay: Longest backoff, 1 s or more. Default 1 h.
        jitter: Random share of the backoff, 0 to 1. Default 0.
        backoff: "exponential", or "fixed" for a backoff of base_delay. Default exponential.
    """

    max_attempts: int | None = None
    base_delay: timedelta | None = None
    timeout: timedelta | None = None
    max_delay: timedelta | None = None
    jitter: float | None = None
    backoff: Backoff | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions(FlowOptions):
    """What a step does otherwise than its flow. None inherits the flow's option.

    Attributes:
        start_delay: Time between a step becoming ready and its first attempt. Default 0 s.
    """

    start_delay: timedelta | None = None


def check_options(options: FlowOptions, where: str) -> None:
    """Check every option that was given.

    Raises:
        DefinitionError: A value has the wrong type or is out of range; says which.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        if value is not None:
            reason = _CHECKS[field.name](value)
            if reason is not None:
                raise DefinitionError(where, f"{field.name} {reason}")


def check_mode(mode: object, name: str, where: str) -> None:
    """Check that a mode is one of `SkipMode`'s.

    Raises:
        DefinitionError: It is not.
    """
    if mode not in SKIP_MODES:
        allowed = ", ".join(map(repr, SKIP_MODES))
        raise DefinitionError(where, f"{name} must be one of {allowed}, not {mode!r}")


def check_executor(executor: object, is_async: bool, where: str) -> None:
    """Check where a handler is to run.

    Raises:
        DefinitionError: Not an executor, or the handler is async and so runs on the event loop.
    """
    if executor is None:
        return
    is_named = isinstance(executor, str) and executor in ("thread", "process")
    if not (is_named or isinstance(executor, Executor) or _is_function(executor)):
        kinds = "'thread', 'process' or a concurrent.futures.Executor, or a function that makes one"
        raise DefinitionError(where, f"executor must be {kinds}, not {executor!r}")
    if is_async:
        reason = "is for plain functions; an async one runs on the event loop. Write it with `def`"
        raise DefinitionError(where, f"executor {reason}")


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def check_transactional(
    transactional: object, executor: object, takes_context: bool, where: str
) -> None:
    """Check whether a handler can be given a transaction.

    Raises:
        DefinitionError: It runs where there is no connection, or it has no context to take it from.
    """
    if not isinstance(transactional, bool):
        raise DefinitionError(where, f"transactional takes True or False, not {transactional!r}")
    if transactional and executor not in (None, "thread"):
        reason = "is for handlers on the event loop and in threads, where the connection is"
        raise DefinitionError(where, f"transactional=True {reason}; leave out executor=")
    if transactional and not takes_context:
        reason = "is for what is written with ctx.connection; give it a parameter of type Context"
        raise DefinitionError(where, f"transactional=True {reason}")


def given_options(options: FlowOptions) -> dict[str, int | float | str]:
    """Return the options that were given as the database takes them: seconds, numbers, words."""
    given: dict[str, int | float | str] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        if isinstance(value, timedelta):
            given[field.name] = value // timedelta(seconds=1)
        elif value is not None:
            given[field.name] = float(value) if field.name == "jitter" else value
    return given


def step_options(arguments: Mapping[str, Any], where: str) -> StepOptions:
    """Return the checked options among the arguments of `flow.step`.

    Raises:
        DefinitionError: An option is out of range, or no such option exists.
    """
    known = {field.name for field in fields(StepOptions)}
    unknown = arguments.keys() - known - StepArguments.__annotations__.keys()
    if unknown:
        names = ", ".join(sorted(unknown))
        raise DefinitionError(where, f"there is no option {names}")
    options = StepOptions(**{name: arguments[name] for name in known & arguments.keys()})
    check_options(options, where)
    return options


def _duration(shortest: timedelta) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        if not isinstance(value, timedelta):
            return f"takes a timedelta such as timedelta(seconds=60), not {value!r}"
        if value % timedelta(seconds=1):
            return f"is kept in whole seconds, so {value} cannot be held"
        if value < shortest:
            return f"must be {shortest} or more, not {value}"
        if value > timedelta(seconds=_LARGEST_INT):
            return f"must be at most {timedelta(seconds=_LARGEST_INT)}, not {value}"
        return None

    return check


def _attempts(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"takes a whole number, not {value!r}"
    if not 1 <= value <= _LARGEST_INT:
        return f"must be 1 or more and at most {_LARGEST_INT}, not {value}"
    return None


def _share(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"takes a number from 0 to 1, not {value!r}"
    if math.isnan(value) or not 0 <= value <= 1:
        return f"must be from 0 to 1, not {value}"
    return None


def _backoff(value: object) -> str | None:
    if value not in BACKOFFS:
        return f"must be one of {', '.join(map(repr, BACKOFFS))}, not {value!r}"
    return None


_CHECKS: Final[dict[str, Callable[[object], str | None]]] = {
    "max_attempts": _attempts,
    "base_delay": _duration(timedelta(0)),
    "timeout": _duration(timedelta(seconds=1)),
    "start_delay": _duration(timedelta(0)),
    "max_delay": _duration(timedelta(seconds=1)),
    "jitter": _share,
    "backoff": _backoff,
}
