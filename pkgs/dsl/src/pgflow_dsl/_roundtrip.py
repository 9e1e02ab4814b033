"""Finds types whose values would not come back from JSON as what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pgflow_dsl._plain import is_array, is_object
from pgflow_dsl._unions import find_ambiguity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NOT_SCHEMAS: Final = frozenset(
    {"metadata", "cls", "default", "config", "expected", "members", "serialization", "ref"}
)
_NOT_KEYS: Final = frozenset(
    {"none", "nullable", "complex", "tuple", "list", "set", "frozenset", "dict", "model"}
    | {"dataclass", "typed-dict", "named-tuple"}
)
_CLASSES: Final = frozenset({"model", "dataclass"})
_TEXT_BYTES: Final = (
    "it has a bytes field that is written as text; set "
    "model_config = ConfigDict(ser_json_bytes='base64', val_json_bytes='base64')"
)
_SECRET: Final = "it holds a secret, which is masked when written and would be stored unmasked"


def find_obstacle(core_schema: dict[str, Any], json_schemas: Iterable[Any]) -> str | None:
    """Return why values of a type would not survive JSON, None where they do.

    Args:
        core_schema: What pydantic built for the type.
        json_schemas: Its JSON Schemas.
    """
    definitions = {node["ref"]: node for node in _nodes(core_schema) if "ref" in node}
    for node in _nodes(core_schema):
        reason = _node_obstacle(node, definitions)
        if reason is not None:
            return reason
    if any(found == "password" for schema in json_schemas for found in _formats(schema)):
        return _SECRET
    return _TEXT_BYTES if _writes_bytes_as_text(core_schema) else None


def _node_obstacle(node: dict[str, Any], definitions: dict[str, Any]) -> str | None:
    match node["type"]:
        case "generator":
            return "it can be read only once; use a list or a Sequence"
        case "is-subclass":
            return "a class has no JSON form"
        case "json":
            return "it is JSON inside of JSON; use the type that it holds"
        case "enum":
            return _enum_obstacle(node)
        case "dict":
            return _key_obstacle(node.get("keys_schema", {}), definitions)
        case "union":
            return find_ambiguity(node, definitions)
        case "model-fields" | "typed-dict":
            return _fields_obstacle(node["fields"].items())
        case "dataclass-args":
            return _fields_obstacle((field["name"], field) for field in node["fields"])
        case _:
            return None


def needs_instances(core_schema: dict[str, Any]) -> bool:
    """Return whether values hold objects of classes, and checking them in Python changes nothing.

    What runs functions of the user's, such as one that decodes text, takes in Python what it
    takes in JSON, and so refuses the value that it made of it.
    """
    kinds = {node["type"] for node in _nodes(core_schema, leaves=_CLASSES)}
    return bool(kinds & _CLASSES) and not any(kind.startswith("function-") for kind in kinds)


def _nodes(schema: Any, leaves: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        kind = node.get("type") if is_object(node) else None
        if isinstance(kind, str):
            yield node
        if kind not in leaves:
            pending.extend(_children(node))


def _children(node: Any) -> Iterator[Any]:
    if is_array(node):
        yield from node
    elif is_object(node):
        for key, value in node.items():
            if key == "fields" and is_object(value):
                # Its keys are names of the user's, which may be any that are passed over.
                yield from value.values()
            elif key not in _NOT_SCHEMAS:
                yield value


def _writes_bytes_as_text(schema: Any) -> bool:
    # What is outside of models gets a configuration that writes bytes as base64.
    pending: list[tuple[Any, bool]] = [(schema, True)]
    while pending:
        node, is_base64 = pending.pop()
        if is_object(node) and isinstance(node.get("type"), str):
            config = node.get("config", {} if node["type"] == "model" else None)
            if config is not None:
                is_base64 = config.get("ser_json_bytes") == config.get("val_json_bytes") == "base64"
            if node["type"] == "bytes" and not is_base64:
                return True
        pending += [(child, is_base64) for child in _children(node)]
    return False


def _formats(schema: Any) -> Iterator[str]:
    pending: list[Any] = [schema]
    while pending:
        node = pending.pop()
        if is_array(node):
            pending.extend(node)
        elif is_object(node):
            if isinstance(node.get("format"), str):
                yield node["format"]
            pending.extend(value for key, value in node.items() if key != "default")


def _enum_obstacle(node: dict[str, Any]) -> str | None:
    for member in node["members"]:
        if not isinstance(member.value, str | int | float | None):
            return f"{member} has a value that JSON cannot hold; use text or a number"
    return None


def _key_obstacle(keys: dict[str, Any], definitions: dict[str, Any]) -> str | None:
    kind = keys.get("type")
    if kind == "definition-ref":
        keys = definitions.get(keys["schema_ref"], keys)
        kind = keys["type"]
    values: list[Any] = []
    if kind == "enum":
        values = [member.value for member in keys["members"]]
    elif kind == "literal":
        values = keys["expected"]
    elif kind == "union":
        return next((reason for each in keys["choices"] if (reason := _choice_of_keys(each))), None)
    if kind in _NOT_KEYS or not all(isinstance(value, str) for value in values):
        return "JSON has only text as keys, and these keys would not come back as they were"
    return None


def _choice_of_keys(choice: Any) -> str | None:
    schema: dict[str, Any] = choice[0] if is_array(choice) else choice
    if schema["type"] == "str":
        return None
    if schema["type"] == "literal" and all(isinstance(each, str) for each in schema["expected"]):
        return None
    return "JSON has only text as keys, so keys must be of one type"


def _fields_obstacle(fields: Iterable[tuple[str, dict[str, Any]]]) -> str | None:
    for name, field in fields:
        written = field.get("serialization_alias", name)
        read = field.get("validation_alias", name)
        choices: Any = read if is_array(read) else [read]
        if written not in choices and [written] not in choices:
            return f"field {name!r} is written as {written!r} but read as {read!r}"
        is_required = field.get("required", field["schema"]["type"] != "default")
        if field.get("serialization_exclude") and is_required:
            return f"field {name!r} is required but left out when written (exclude=True)"
    return None
