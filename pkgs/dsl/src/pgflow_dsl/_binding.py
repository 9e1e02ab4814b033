"""Turns the JSON that a task delivers into the arguments of its handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pgflow_dsl._json_type import BYTES_AS_BASE64
from pgflow_dsl._problems import Refused, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pgflow_dsl.context import Context

Json = bytes | str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedParameter:
    """A parameter that takes one value of a JSON object.

    Attributes:
        name: The parameter.
        key: The key in the object: a step's slug or "run".
        annotation: The parameter's type.
        may_be_absent: Whether the key is missing when a step was skipped; the value is None then.
    """

    name: str
    key: str
    annotation: Any
    may_be_absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeParameter:
    """A parameter that takes a whole JSON text: the flow's input, or the element of a map.

    Attributes:
        name: The parameter.
        load: Turns the text into the value; raises pydantic's ValidationError.
    """

    name: str
    load: Callable[[Json], Any]


class Binder:
    """Makes the arguments of one handler. Everything that can be built before a call is."""

    __slots__ = ("_absent", "_context", "_fixed", "_keyed", "_positional", "_size", "_whole")

    def __init__(
        self,
        *,
        keyed: Sequence[KeyedParameter],
        whole: Sequence[WholeParameter],
        context: Sequence[str],
        fixed: Mapping[str, Any],
        positional: Sequence[str],
        names: Mapping[str, Any],
    ) -> None:
        """Prepare.

        Args:
            keyed: Parameters from the object of outputs.
            whole: Parameters that take one text each.
            context: Parameters that take the task's context.
            fixed: Arguments known since the definition.
            positional: Parameters that cannot be passed by name, in order.
            names: What types may use beyond their module's globals.
        """
        self._keyed = _loader(keyed, names) if keyed else None
        self._size = len(keyed)
        self._absent = tuple(each.name for each in keyed if each.may_be_absent)
        self._whole = tuple(whole)
        self._context = tuple(context)
        self._fixed = dict(fixed)
        self._positional = tuple(positional)

    @property
    def takes_context(self) -> bool:
        """Whether a parameter takes the task's context."""
        return bool(self._context)

    def bind(
        self, outputs: Json | None, whole: Json | None, context: Context | None
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return positional and keyword arguments.

        Args:
            outputs: The object of outputs by slug; not looked at when no parameter needs it.
            whole: The flow's input or the map's element; not looked at when not needed.
            context: The task; not looked at when no parameter takes it.

        Raises:
            Refused: The data does not fit a parameter's type.
        """
        try:
            kwargs = self._keyed(_present(outputs, "outputs")) if self._keyed else {}
        except ValidationError as error:
            raise Refused(problems_of(error)) from error
        if len(kwargs) < self._size:
            for name in self._absent:
                kwargs.setdefault(name, None)
        for parameter in self._whole:
            try:
                kwargs[parameter.name] = parameter.load(_present(whole, parameter.name))
            except ValidationError as error:
                raise Refused(problems_of(error, parameter.name)) from error
        for name in self._context:
            kwargs[name] = context
        if self._fixed:
            kwargs.update(self._fixed)
        return [kwargs.pop(name) for name in self._positional], kwargs


def _present(text: Json | None, what: str) -> Json:
    if text is None:
        raise Refused(((what, "the task was delivered without it"),))
    return text


def _loader(
    keyed: Sequence[KeyedParameter], names: Mapping[str, Any]
) -> Callable[[Json], dict[str, Any]]:
    """Return one validator for all parameters, so that the JSON is read once, outside Python."""
    fields: dict[str, Any] = {}
    for each in keyed:
        field: Any = Annotated[each.annotation, Field(validation_alias=each.key)]
        fields[each.name] = NotRequired[field] if each.may_be_absent else field
    arguments: Any = cast("Any", TypedDict)("Arguments", fields)
    # Errors name the parameter, which is what the handler's author wrote.
    config: ConfigDict = {**BYTES_AS_BASE64, "loc_by_alias": False, "defer_build": True}
    arguments.__pydantic_config__ = config
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
    adapter.rebuild(_types_namespace=names)
    return cast("Callable[[Json], dict[str, Any]]", adapter.validator.validate_json)
