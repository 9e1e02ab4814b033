"""The items of streams: values that handlers emit, as JSON text and back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from pgflow_dsl._json_type import JsonType
from pgflow_dsl._problems import Refused, problems_of
from pgflow_dsl.errors import ItemInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dump_item", "item_loader"]

T = TypeVar("T")

# Of JSON text. What is larger is no message to somebody who watches, but an output.
_LARGEST: Final = 16 * 2**20


def dump_item(flow_slug: str, step_slug: str, value: object) -> str:
    """Return what a handler emits as JSON text.

    Args:
        flow_slug: Its flow.
        step_slug: Its step.
        value: Whatever pydantic can write as JSON.

    Raises:
        ItemInvalid: It has no JSON form, or Postgres cannot hold it, or it is larger than 16 MiB.
    """
    try:
        text = _any_type().dump(value)
    except Refused as refused:
        raise ItemInvalid(flow_slug, step_slug, refused.problems) from refused
    if len(text) > _LARGEST:
        told = f"it has {len(text):,} characters of JSON, and an item at most {_LARGEST:,}"
        raise ItemInvalid(flow_slug, step_slug, (("", f"{told}; return it as an output"),))
    return text


def item_loader(flow_slug: str, step_slug: str, item_type: type[T]) -> Callable[[str], T]:
    """Return a function that reads items of a stream as values of a type.

    Args:
        flow_slug: The flow.
        step_slug: The step.
        item_type: What the items are.

    Raises:
        DefinitionError: pydantic cannot read such a type from JSON.
    """
    load = _json_type(item_type).load

    def load_item(text: str) -> T:
        """Return the value, or raise ItemInvalid."""
        try:
            value: T = load(text)
        except ValidationError as error:
            raise ItemInvalid(flow_slug, step_slug, problems_of(error)) from error
        return value

    return load_item


@cache
def _any_type() -> JsonType:
    return _json_type(Any)


def _json_type(annotation: Any) -> JsonType:
    return JsonType(annotation, {}, "a stream", "the type of its items")
