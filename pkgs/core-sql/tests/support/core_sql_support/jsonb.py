"""JSON as PostgreSQL sees it, for the model: SQL NULL beside JSON null, containment, type names."""

import json
from typing import Any, Final


class _Null:
    def __repr__(self) -> str:
        return "NULL"


NULL: Final = _Null()
"""SQL NULL as an output; None is JSON null."""

_TYPES: Final = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number"}


def as_text(value: Any) -> str | None:
    """Write a value as jsonb is written, which has shorter keys first, and NULL as SQL NULL."""
    return None if value is NULL else json.dumps(_in_order(value))


def _in_order(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_order(element) for element in value]
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value, key=lambda k: (len(k), k))}
    return value


def as_json(value: Any) -> Any:
    """Give a value as it arrives where only JSON can be: SQL NULL becomes null."""
    return None if value is NULL else value


def type_of(value: Any) -> str:
    """Name a value's type as jsonb_typeof does, and SQL NULL `nothing`."""
    return "nothing" if value is NULL else _TYPES.get(type(value), "null")


def contains(value: Any, pattern: Any) -> bool:
    """Tell what `value @> pattern` does for a pattern that is an object.

    Objects may have more keys and arrays more elements, in any order, at every depth.
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and contains(value[key], part) for key, part in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(contains(element, part) for element in value) for part in pattern
        )
    return type(value) is type(pattern) and value == pattern
