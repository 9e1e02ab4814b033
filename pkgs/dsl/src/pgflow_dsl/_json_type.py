"""Turns values of one Python type into JSON text that Postgres can store, and back."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final, NewType

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from pgflow_dsl._problems import Refused, find_unstorable, problems_of, shorten, unwritable
from pgflow_dsl._roundtrip import find_obstacle, needs_instances
from pgflow_dsl.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Bytes that are not text have no other JSON form; models bring their own configuration.
BYTES_AS_BASE64: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

# What pydantic says next is about its own settings.
_ADVICE: Final = re.compile(r"\n\nFor further information|\. Set `arbitrary_types_allowed")
_VISIBLE_NAN: Final[ConfigDict] = {**BYTES_AS_BASE64, "ser_json_inf_nan": "constants"}


class _Schema(GenerateJsonSchema):
    # A default that has no JSON form is left out of the schema: not worth a warning.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


class JsonType:
    """One type, with everything pydantic builds for it built once.

    Attributes:
        annotation: The type.
        load: Takes JSON text and returns a value of the type; raises pydantic's ValidationError.
    """

    __slots__ = ("_adapter", "_check", "_to_json", "annotation", "load")

    def __init__(self, annotation: Any, names: Mapping[str, Any], where: str, subject: str) -> None:
        """Build what is needed.

        Args:
            annotation: The type.
            names: What is visible where the type is used, beyond its module's globals.
            where: What an error is about.
            subject: What has this type, such as "its return type".

        Raises:
            DefinitionError: The type cannot be turned into JSON and back.
        """
        self.annotation: Any = annotation
        shown = inspect.formatannotation(annotation)
        try:
            self._adapter = _adapter(annotation, names)
            core_schema: Any = self._adapter.core_schema
            schemas = [self.schema("validation"), self.schema("serialization")]
        except Exception as error:
            # Building runs hooks of the type itself, which may raise anything.
            reason = shorten(_ADVICE.split(str(error))[0])
            raise DefinitionError(
                where, f"{subject} {shown} is not a type that pydantic can handle: {reason}"
            ) from error
        unstorable = find_unstorable(schemas)
        if unstorable:
            reason = f"its JSON Schema cannot be stored, because {unstorable[0][1]}"
            raise DefinitionError(
                where, f"{subject} {shown} is described by pydantic, but {reason}"
            )
        obstacle = find_obstacle(core_schema, schemas)
        if obstacle is not None:
            raise DefinitionError(
                where, f"{subject} {shown} would not survive being stored as JSON: {obstacle}"
            )
        validator = self._adapter.validator
        self.load: Callable[[bytes | str], Any] = validator.validate_json
        self._to_json = self._adapter.serializer.to_json
        self._check = validator.validate_python if needs_instances(core_schema) else None

    def schema(self, mode: str) -> dict[str, Any]:
        """Return the JSON Schema of what is read ("validation") or written ("serialization")."""
        chosen: Any = mode
        return self._adapter.json_schema(mode=chosen, schema_generator=_Schema)

    def admits(self, value: object) -> bool:
        """Return whether a Python value is one of this type."""
        try:
            self._adapter.validator.validate_python(value)
        except ValidationError:
            return False
        return True

    def dump(self, value: object) -> str:
        """Return a value as JSON text that `load` takes and Postgres stores.

        Raises:
            Refused: The value is not of this type, or JSON or Postgres cannot hold it.
        """
        try:
            text = self._to_json(value, by_alias=True, warnings="error")
            if self._check is not None:
                # Writing looks at fields alone: an object of another class may have them too.
                self._check(value)
        except ValidationError as error:
            raise Refused(problems_of(error)) from error
        except (ValueError, TypeError, RecursionError) as error:
            raise Refused(self._why_not_written(value, error)) from error
        try:
            # Serializers look at types alone; loading tells what dependents would be told.
            self.load(text)
        except ValidationError as error:
            raise Refused(self._unstorable(value) or problems_of(error)) from error
        if _looks_unstorable(text):
            unstorable = self._unstorable(value)
            if unstorable:
                raise Refused(unstorable)
        return text.decode()

    def convert(self, value: object) -> Any:
        """Return a value of this type made from one that is like it, a dict for a model, say.

        Raises:
            Refused: It cannot be made.
        """
        try:
            return self._adapter.validator.validate_python(value)
        except ValidationError as error:
            raise Refused(problems_of(error)) from error

    def _unstorable(self, value: object) -> tuple[tuple[str, str], ...]:
        try:
            written = self._adapter.serializer.to_python(
                value, mode="json", by_alias=True, warnings=False
            )
        except (ValueError, TypeError, RecursionError):
            return ()
        return find_unstorable(written)

    def _why_not_written(self, value: object, error: Exception) -> tuple[tuple[str, str], ...]:
        unstorable = self._unstorable(value)
        if unstorable:
            return unstorable
        try:
            # Reading names the field and the reason better than writing does.
            self.load(self._to_json(value, by_alias=True, warnings=False))
        except ValidationError as invalid:
            return problems_of(invalid)
        except (ValueError, TypeError, RecursionError):
            pass
        return (unwritable(error, inspect.formatannotation(self.annotation)),)


def _looks_unstorable(text: bytes) -> bool:
    if b"\\u0000" in text or b"NaN" in text or b"Infinity" in text:
        return True
    # A model may write NaN as null. A bare null is None, the commonest output of all.
    return b"null" in text and len(text) > len(b"null")


def _adapter(annotation: Any, names: Mapping[str, Any]) -> TypeAdapter[Any]:
    # pydantic takes no configuration for a bare dataclass or TypedDict, but does for a NewType.
    make_alias: Any = NewType
    alias = make_alias("Value", annotation)
    if not names:
        return TypeAdapter(alias, config=_VISIBLE_NAN)
    adapter: TypeAdapter[Any] = TypeAdapter(alias, config={**_VISIBLE_NAN, "defer_build": True})
    adapter.rebuild(_types_namespace=names)
    return adapter
