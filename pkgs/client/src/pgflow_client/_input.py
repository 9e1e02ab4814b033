"""Turns what a run is to start with into JSON text, with the flow's code or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pgflow_dsl import Flow, InputInvalid

from pgflow_client.errors import RunNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_priority", "dump_inputs", "parse_run_id", "slug_of"]

# Takes whatever has a JSON form, and says which field has none.
_UNTYPED: Final = Flow[Any]("untyped", input=Any)


def slug_of(flow: Flow[Any] | str) -> str:
    """Return the slug of a flow that is given as its definition or its slug."""
    return flow if isinstance(flow, str) else flow.slug


def dump_inputs(flow: Flow[Any] | str, values: Iterable[Any]) -> list[str]:
    """Return flow inputs as JSON text.

    Raises:
        InputInvalid: One does not fit the flow, or has no JSON form; names the field.
    """
    if not isinstance(flow, str):
        return [flow.dump_input(value) for value in values]
    try:
        return [_UNTYPED.dump_input(value) for value in values]
    except InputInvalid as error:
        raise InputInvalid(flow, None, error.problems) from None


def check_priority(priority: int) -> int:
    """Return a priority that the database can hold, or raise ValueError."""
    if not -32768 <= priority <= 32767:
        raise ValueError(f"priority is a whole number from -32768 to 32767, not {priority}")
    return priority


def parse_run_id(run_id: UUID | str) -> UUID:
    """Return a run id that is given as such or as text.

    Raises:
        RunNotFound: It cannot be the id of a run.
    """
    if isinstance(run_id, UUID):
        return run_id
    try:
        return UUID(run_id)
    except ValueError:
        message, hint = f"there is no run {run_id!r}", "a run's id is a UUID"
        raise RunNotFound(message, hint) from None
