"""Turns a flow into SQL that defines it in a database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pgflow_dsl.options import given_options
from pgflow_dsl.shape import flow_shape, map_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgflow_dsl.flow import Flow
    from pgflow_dsl.step import AnyStep

__all__ = ["compile_flow", "compile_version"]

_NOTHING: Final = object()
# What a shape says of a step where it says nothing.
_UNSAID: Final[dict[str, Any]] = {
    "stepType": "single",
    "dependencies": [],
    "after": [],
    "mapOver": None,
    "takesFlowInput": False,
    "whenUnmet": "skip",
    "whenExhausted": "fail",
    "requiredInputPattern": {"defined": False},
    "forbiddenInputPattern": {"defined": False},
    "options": {},
}


def compile_flow(flow: Flow[Any]) -> str:
    """Return SQL text that defines a flow: one `create_flow`, then one `add_step` for each step.

    The text depends on nothing but the definition. Running it again updates options; it raises
    where the database has the flow with another structure. It neither begins nor commits, so it
    is all or nothing only inside a transaction of the caller's. `compile_version` is for databases
    that may have the flow with another structure.
    """
    calls = [
        _call(
            "create_flow",
            {
                "flow_slug": _text(flow.slug),
                **_options(given_options(flow.options)),
                "input_schema": _json(flow.input_schema),
            },
        ),
        *(_add_step(flow, step) for step in flow.steps),
    ]
    return "\n".join([f"-- The flow {flow.slug}, compiled by pgflow.\n", *calls])


def compile_version(flow: Flow[Any]) -> str:
    """Return SQL text that defines a flow, as a new version of it where its structure has changed.

    It is one statement: where the database does not have the flow it is defined, where a version
    of it has that structure its options are updated, and elsewhere it becomes a new version. New
    runs take that version then, also an older one, to which a starting worker would not go back;
    runs under way keep theirs. The text depends on nothing but the definition.
    """
    arguments = {"flow_slug": _text(flow.slug), "shape": _text(_shape_text(flow))}
    call = _call("use_flow_shape", arguments)
    return f"-- The flow {flow.slug}, compiled by pgflow.\n\n{call}"


def _shape_text(flow: Flow[Any]) -> str:
    """Return a shape as JSON, a step a line, without what goes without saying."""
    shape = flow_shape(flow)
    steps = [
        {key: value for key, value in step.items() if value != _UNSAID.get(key, _NOTHING)}
        for step in shape["steps"]
    ]
    listed = ",".join(f"\n  {_dump(step)}" for step in steps)
    options, schema = _dump(shape["options"]), _dump(shape["inputSchema"])
    return f'{{"options": {options}, "inputSchema": {schema}, "steps": [{listed}\n]}}'


def _add_step(flow: Flow[Any], step: AnyStep) -> str:
    arguments = {"flow_slug": _text(flow.slug), "step_slug": _text(step.slug)}
    if step.delivered:
        arguments["deps_slugs"] = _array(each.slug for each in step.delivered)
    arguments |= _options(given_options(step.options))
    if step.kind == "map":
        arguments["step_type"] = _text(step.kind)
    if step.required_pattern is not None:
        arguments["required_input_pattern"] = _json(step.required_pattern)
    if step.forbidden_pattern is not None:
        arguments["forbidden_input_pattern"] = _json(step.forbidden_pattern)
    if step.when_unmet != "skip":
        arguments["when_unmet"] = _text(step.when_unmet)
    if step.when_exhausted != "fail":
        arguments["when_exhausted"] = _text(step.when_exhausted)
    source = map_source(step)
    if source is not None:
        arguments["map_over"] = _text(source)
    if step.after:
        arguments["after_slugs"] = _array(each.slug for each in step.after)
    if step.takes_flow_input:
        arguments["takes_flow_input"] = "true"
    arguments["output_schema"] = _json(step.output_schema)
    return _call("add_step", arguments)


def _call(function: str, arguments: dict[str, str]) -> str:
    lines = ",\n".join(f"  {name} => {value}" for name, value in arguments.items())
    return f"select pgflow.{function}(\n{lines}\n);\n"


def _options(options: dict[str, int | float | str]) -> dict[str, str]:
    return {
        name: _text(value) if isinstance(value, str) else repr(value)
        for name, value in options.items()
    }


def _array(slugs: Iterable[str]) -> str:
    return f"array[{', '.join(_text(slug) for slug in sorted(slugs))}]"


def _json(value: Any) -> str:
    return _text(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False))


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _text(value: str) -> str:
    quoted = value.replace("'", "''")
    if "\\" in quoted:
        # Means the same whether or not the server takes backslashes in plain strings literally.
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"
