"""Tells whether JSON keeps the members of a union apart."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic_core import SchemaValidator, from_json, to_json

from pgflow_dsl._plain import is_array, is_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ANY: Final[dict[str, Any]] = {"type": "any"}
# Midnight and whole numbers look most like values of other types.
_SAMPLES: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "bool": (True, {}),
    "bytes": (b"ab", {}),
    "complex": (1j, {}),
    "date": (date(2024, 1, 2), {}),
    "datetime": (datetime(2024, 1, 2), {}),
    "decimal": (Decimal(1), {}),
    "float": (1.0, {}),
    "frozenset": (frozenset[Any](), {}),
    "int": (1, {}),
    "list": (list[Any](), {}),
    "set": (set[Any](), {}),
    "str": ("ab", {}),
    "time": (time(3, 4), {}),
    "timedelta": (timedelta(days=1), {}),
    "tuple": ((), {"items_schema": [_ANY], "variadic_item_index": 0}),
    "uuid": (UUID(int=1), {}),
}
_WRAPPERS: Final = frozenset({"default", "nullable", "model", "dataclass"})
_RECORDS: Final = frozenset({"model-fields", "dataclass-args", "typed-dict"})

Definitions = dict[str, dict[str, Any]]


def find_ambiguity(union: dict[str, Any], definitions: Definitions) -> str | None:
    """Return why a union's members cannot be told apart in JSON, None where they can.

    Args:
        union: pydantic's schema of the union, whose order decides between equals.
        definitions: The schemas that it may refer to.
    """
    choices = [
        _resolve(each[0] if is_array(each) else each, definitions) for each in union["choices"]
    ]
    for one, other in permutations(range(len(choices)), 2):
        if one < other and _swap_scalars(choices[one], choices[other]):
            names = f"{_name(choices[one])} and {_name(choices[other])}"
            return f"{names} look alike in JSON; use one of them, or a model with a tag"
        if _taken_for(choices[one], choices[other], one > other, definitions):
            names = f"{_name(choices[one])} and {_name(choices[other])}"
            return f"JSON cannot tell {names} apart; give each a Literal field with its own value"
    return None


def _resolve(schema: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    while True:
        if schema["type"] == "definition-ref":
            schema = definitions[schema["schema_ref"]]
        elif schema["type"].startswith("function-") and "schema" in schema:
            schema = schema["schema"]
        else:
            return schema


def _swap_scalars(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["type"] == "enum" or other["type"] == "enum":
        members, rest = (one, other) if one["type"] == "enum" else (other, one)
        kinds = {type(member.value).__name__ for member in members.get("members", ())}
        return rest["type"] in kinds
    if one["type"] not in _SAMPLES or other["type"] not in _SAMPLES:
        return False
    return _looks_alike(one["type"], other["type"])


@lru_cache
def _looks_alike(one: str, other: str) -> bool:
    schemas: list[Any] = [{"type": kind, **_SAMPLES[kind][1]} for kind in (one, other)]
    validate: Callable[[bytes], Any] = SchemaValidator(
        {"type": "union", "choices": schemas}, {"val_json_bytes": "base64"}
    ).validate_json
    for kind, neighbour in ((one, other), (other, one)):
        written = to_json(_SAMPLES[kind][0], bytes_mode="base64")
        if type(validate(written)) is not type(_SAMPLES[kind][0]):
            return True
        # Text may look like anything that is written as text.
        is_text = isinstance(from_json(written), str)
        if neighbour == "str" and is_text and not isinstance(validate(written), str):
            return True
    return False


def _taken_for(
    one: dict[str, Any], other: dict[str, Any], other_is_first: bool, definitions: Definitions
) -> bool:
    """Return whether the JSON of one record could come back as the other."""
    fields = _fields(one, definitions)
    others = _fields(other, definitions)
    if fields is None or others is None:
        return (fields is not None and other["type"] == "dict") or (
            others is not None and one["type"] == "dict"
        )
    required = {name for name, (is_required, _) in others.items() if is_required}
    # The member that knows more of the fields wins, among equals the first.
    is_accepted = required <= fields.keys() <= others.keys()
    return (
        is_accepted
        and other_is_first
        and all(_same(schema, others[name][1], definitions) for name, (_, schema) in fields.items())
    )


def _same(one: dict[str, Any], other: dict[str, Any], definitions: Definitions) -> bool:
    one, other = _bare(one, definitions), _bare(other, definitions)
    if one["type"] == other["type"] == "literal":
        return bool(set(map(repr, one["expected"])) & set(map(repr, other["expected"])))
    return bool(one["type"] == other["type"])


def _bare(schema: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    schema = _resolve(schema, definitions)
    while schema["type"] in _WRAPPERS:
        schema = _resolve(schema["schema"], definitions)
    return schema


def _fields(
    schema: dict[str, Any], definitions: Definitions
) -> dict[str, tuple[bool, dict[str, Any]]] | None:
    """Return a record's fields by name: whether each is required, and its schema."""
    if schema["type"] in {"model", "dataclass"}:
        schema = _bare(schema, definitions)
    if schema["type"] not in _RECORDS:
        return None
    fields: Any = schema["fields"]
    pairs: Iterable[tuple[str, dict[str, Any]]] = (
        fields.items() if is_object(fields) else ((each["name"], each) for each in fields)
    )
    return {
        name: (field.get("required", field["schema"]["type"] != "default"), field["schema"])
        for name, field in pairs
    }


def _name(schema: dict[str, Any]) -> str:
    cls = schema.get("cls")
    return cls.__name__ if isinstance(cls, type) else str(schema["type"])
