"""Says in few words why data is invalid: a path to the field and a reason with a short value."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from pgflow_dsl._plain import is_array, is_object

if TYPE_CHECKING:
    from pydantic import ValidationError

_MOST_PROBLEMS: Final = 5
_LONGEST_VALUE: Final = 60
_LONGEST_REASON: Final = 300
_UNEXPECTED: Final = re.compile(
    r"Expected `(?P<expected>[^`]+)`.*?\[(?:field_name='(?P<field>[^']*)', )?"
    r"input_value=(?P<value>.*), input_type=(?P<kind>\w+)\]"
)
_NO_VALUE: Final = frozenset({"missing", "json_invalid", "unexpected_keyword_argument"})

Problems = tuple[tuple[str, str], ...]


class Refused(Exception):
    """Data does not fit; carries the problems to whoever knows the flow and the step."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.problems = problems


def problems_of(error: ValidationError, prefix: str = "") -> Problems:
    """Return the first problems of a validation error.

    Args:
        error: From pydantic.
        prefix: What the validated data is called, "" where the path says it already.
    """
    problems = [
        (path_of((prefix, *line["loc"]) if prefix else line["loc"]), _reason(line))
        for line in error.errors(include_url=False, include_context=False)[:_MOST_PROBLEMS]
    ]
    more = error.error_count() - len(problems)
    if more > 0:
        problems.append(("", f"and {more} more"))
    return tuple(problems)


def unwritable(error: Exception, expected: str) -> tuple[str, str]:
    """Return the problem behind an error of pydantic's serializers.

    Args:
        error: The error.
        expected: The type that was to be written.
    """
    told = shorten(str(error).removeprefix("Pydantic serializer warnings:"))
    match = _UNEXPECTED.search(told)
    if match is None:
        return "", f"it cannot be written as {expected}: {told}"
    field, value, kind = match["field"] or "", match["value"], match["kind"]
    return field, f"expected {match['expected']} (got {shorten(value, _LONGEST_VALUE)}, {kind})"


def path_of(location: tuple[int | str, ...]) -> str:
    """Return a location as code would write it, such as "page.links[0].title"."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def shorten(text: str, longest: int = _LONGEST_REASON) -> str:
    """Return text on one line, its middle left out where it is long."""
    line = re.sub(r"\s+", " ", text).strip()
    if len(line) <= longest:
        return line
    head = longest * 2 // 3
    return f"{line[:head]}…{line[-(longest - head) :]}"


def show(value: object) -> str:
    """Return a short repr."""
    try:
        # A prefix tells as much as the whole, whose repr may take megabytes.
        if isinstance(value, str | bytes) and len(value) > _LONGEST_VALUE * 4:
            value = value[: _LONGEST_VALUE * 4]
        return shorten(repr(value), _LONGEST_VALUE)
    except Exception:
        return f"<{type(value).__name__}>"


def find_unstorable(value: Any, path: tuple[int | str, ...] = ()) -> Problems:
    """Return the first thing in JSON-like data that Postgres's jsonb cannot hold, or ()."""
    reason: str | None = None
    if isinstance(value, float) and not math.isfinite(value):
        reason = f"{value} is a number that JSON cannot hold; use None or text instead"
    elif isinstance(value, str):
        reason = _unstorable_text(value)
    if reason is not None:
        return ((path_of(path), reason),)
    if is_object(value):
        for key, item in value.items():
            found = find_unstorable(key, path) or find_unstorable(item, (*path, str(key)))
            if found:
                return found
    elif is_array(value):
        for index, item in enumerate(value):
            if found := find_unstorable(item, (*path, index)):
                return found
    return ()


def _unstorable_text(text: str) -> str | None:
    if "\x00" in text:
        return f"{show(text)} holds a NUL character (\\u0000), which Postgres cannot store"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return f"{show(text)} holds half of a surrogate pair, which is not valid text"
    return None


def _reason(line: Any) -> str:
    reason = shorten(str(line["msg"]))
    if line["type"] in _NO_VALUE:
        return reason
    return f"{reason} (got {show(line['input'])})"
