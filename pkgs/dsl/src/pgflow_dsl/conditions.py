"""Conditions: which outputs, or which input, let a step run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pgflow_dsl._problems import find_unstorable, show
from pgflow_dsl._slugs import FLOW_INPUT
from pgflow_dsl.errors import DefinitionError

if TYPE_CHECKING:
    from pgflow_dsl.flow import Flow
    from pgflow_dsl.step import AnyStep

__all__ = ["Conditions", "Pattern"]

Pattern: TypeAlias = "str | int | float | bool | Sequence[Pattern] | Mapping[str, Pattern] | None"
"""JSON that a value must contain: objects may have more keys, arrays more elements."""

Conditions: TypeAlias = "Mapping[AnyStep | Flow[Any], Pattern]"
"""Patterns by the step whose output, or the flow whose input, they are about."""


def conditioned_steps(
    conditions: Conditions | None, flow: Flow[Any], name: str, where: str
) -> list[AnyStep]:
    """Return the steps that conditions are about.

    Args:
        conditions: The argument.
        flow: The flow that the condition's step is to belong to.
        name: The argument's name, "when" or "when_not".
        where: What an error is about.

    Raises:
        DefinitionError: Not a mapping, empty, or a key is not this flow or one of its steps.
    """
    from pgflow_dsl.step import Step

    if conditions is None:
        return []
    given: Any = conditions
    if not isinstance(given, Mapping):
        reason = f"takes {{step: pattern}} or {{flow: pattern}}, not {show(given)}"
        raise DefinitionError(where, f"{name} {reason}")
    if not conditions:
        raise DefinitionError(where, f"{name} is empty, so it says nothing; leave it out")
    steps: list[AnyStep] = []
    for key in conditions:
        if isinstance(key, Step):
            steps.append(key)
        elif key is not flow:
            reason = f"has the key {show(key)}, but keys are this flow or its steps"
            raise DefinitionError(where, f"{name} {reason}")
    return steps


def pattern_of(
    conditions: Conditions | None, flow: Flow[Any], is_root: bool, name: str, where: str
) -> dict[str, Any] | None:
    """Return what the database compares, None without conditions.

    A step without dependencies is compared with the flow's input itself, any other with an
    object of outputs by slug, in which "run" is the flow's input.

    Raises:
        DefinitionError: A pattern is not JSON, or a root step's is not an object.
    """
    if conditions is None:
        return None
    if is_root:
        pattern = _plain(conditions[flow], name, where)
        if not isinstance(pattern, dict):
            reason = f"must be a JSON object such as {{'key': 'value'}}, not {show(pattern)}"
            raise DefinitionError(where, f"the pattern of {name} {reason}")
        return cast("dict[str, Any]", pattern)
    return {
        FLOW_INPUT if key is flow else cast("AnyStep", key).slug: _plain(value, name, where)
        for key, value in conditions.items()
    }


def _plain(pattern: Pattern, name: str, where: str) -> Any:
    try:
        plain = _jsonable(pattern)
        json.dumps(plain, allow_nan=False)
        unstorable = find_unstorable(plain)
    except (TypeError, ValueError) as error:
        raise DefinitionError(where, f"a pattern of {name} is not JSON: {error}") from error
    except RecursionError:
        reason = "contains itself, or is nested too deeply"
        # Its cause is a thousand lines of the same.
        raise DefinitionError(where, f"a pattern of {name} {reason}") from None
    if unstorable:
        raise DefinitionError(where, f"a pattern of {name} is not JSON: {unstorable[0][1]}")
    return plain


def _jsonable(pattern: Pattern) -> Any:
    if isinstance(pattern, Mapping):
        if not all(isinstance(cast("Any", key), str) for key in pattern):
            raise TypeError("the keys of an object must be text")
        return {str(key): _jsonable(value) for key, value in pattern.items()}
    if isinstance(pattern, Sequence) and not isinstance(pattern, str | bytes):
        return [_jsonable(value) for value in pattern]
    return pattern
