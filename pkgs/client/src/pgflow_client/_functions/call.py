"""A call of a function of the core as a value, so that async and sync code share each call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, LiteralString, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Call", "Rows", "load_json"]

T_co = TypeVar("T_co", covariant=True)

Rows: TypeAlias = "Sequence[tuple[Any, ...]]"

_MOST_DIGITS: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T_co]):
    """A statement with its arguments, and how to read what it returns.

    Attributes:
        sql: The statement; a literal, so no value can become part of it.
        arguments: The values of its named placeholders.
        read: Makes the result of the rows.
        is_write: Whether it changes anything that has to be committed.
    """

    sql: LiteralString
    arguments: Mapping[str, Any]
    read: Callable[[Rows], T_co]
    is_write: bool = False


def load_json(text: str) -> Any:
    """Return what JSON text says that anybody may have written.

    PostgreSQL takes numbers of a hundred thousand digits, which Python refuses to read: those stay
    texts.
    """
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits
