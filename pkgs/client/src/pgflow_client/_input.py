"""Turns what a run is to start with into JSON text, with the flow's code or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pgflow_dsl import Flow, InputInvalid, Step

from pgflow_client.errors import RunNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["dump_inputs", "parse_run_id", "slug_of"]

# Takes whatever has a JSON form, and says which field has none.
_UNTYPED: Final = Flow[Any]("untyped", input=Any)


def slug_of(flow: Flow[Any] | str) -> str:
    """Return the slug of a flow that is given as its definition or its slug.

    Raises:
        TypeError: It is neither.
    """
    given: Any = flow
    if isinstance(given, Flow):
        return given.slug
    if isinstance(given, str):
        return given
    hint = "; start the step's flow" if isinstance(given, Step) else ""
    raise TypeError(f"a flow is a Flow or the slug of one, not {given!r:.100}{hint}")


def dump_inputs(flow: Flow[Any] | str, values: Iterable[Any]) -> list[str]:
    """Return flow inputs as JSON text.

    Raises:
        InputInvalid: One does not fit the flow, or has no JSON form; names the field.
    """
    slug = slug_of(flow)
    if not isinstance(flow, str):
        return [flow.dump_input(value) for value in values]
    try:
        return [_UNTYPED.dump_input(value) for value in values]
    except InputInvalid as error:
        raise InputInvalid(slug, None, error.problems) from None


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
