"""Reads what a handler takes and returns from its signature."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pgflow_dsl._locate import defining_locals, describe, plain_function
from pgflow_dsl.context import Context
from pgflow_dsl.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AWAITABLES = frozenset({collections.abc.Awaitable, collections.abc.Coroutine})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a handler.

    Attributes:
        name: Its name.
        annotation: Its type, string annotations resolved.
        default: Its default, `Parameter.empty` where it has none.
        is_context: Whether it takes the task's `Context`.
        is_positional_only: Whether it cannot be passed by name.
        is_keyword_only: Whether it cannot be passed by position.
    """

    empty: ClassVar[Any] = inspect.Parameter.empty

    name: str
    annotation: Any
    default: Any
    is_context: bool
    is_positional_only: bool
    is_keyword_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A function as far as a step has to know it.

    Attributes:
        fn: The function.
        where: Its name, file and line, for errors.
        name: Its name, the default slug; "" where it has none.
        is_async: Whether calling it gives something to await.
        parameters: What it takes.
        returns: What it returns, once awaited.
        names: What its annotations may use beyond its module's globals.
    """

    fn: Callable[..., Any]
    where: str
    name: str
    is_async: bool
    parameters: tuple[Parameter, ...]
    returns: Any
    names: Mapping[str, Any]


def read_handler(fn: Callable[..., Any]) -> Handler:
    """Read a function's signature.

    Raises:
        DefinitionError: It cannot be a handler: not a function, a lambda, a generator, takes
            *args or **kwargs, or an annotation is missing or cannot be resolved.
    """
    where = describe(fn)
    _check_kind(fn, where)
    inner = plain_function(fn)
    names = defining_locals(fn)
    try:
        signature = inspect.signature(fn)
    except (NameError, TypeError, ValueError) as error:
        raise DefinitionError(where, f"its signature cannot be read: {error}") from error
    annotations = _Annotations(getattr(inner, "__globals__", {}), names, where)
    parameters = tuple(
        _read_parameter(parameter, annotations, where)
        for parameter in signature.parameters.values()
    )
    returns, is_awaited = _read_return(signature.return_annotation, annotations, where)
    return Handler(
        fn=fn,
        where=where,
        name=getattr(inner, "__name__", ""),
        is_async=is_awaited or inspect.iscoroutinefunction(fn) or _is_async(inner),
        parameters=parameters,
        returns=returns,
        names=names,
    )


def _is_async(inner: Any) -> bool:
    # A plain wrapper around an async function gives what that one gives: something to await.
    return inspect.iscoroutinefunction(inner)


def _check_kind(fn: object, where: str) -> None:
    if isinstance(fn, type) or not callable(fn):
        raise DefinitionError(where, f"a step needs a function, not {fn!r}")
    inner = plain_function(fn)
    if getattr(inner, "__name__", "") == "<lambda>":
        raise DefinitionError(where, "a lambda has no annotations to check; write it with `def`")
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise DefinitionError(where, "it yields, but a step has one output; return a list instead")


def _read_parameter(
    parameter: inspect.Parameter, annotations: _Annotations, where: str
) -> Parameter:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise DefinitionError(
            where, f"{stars}{parameter.name} cannot be filled; name every parameter"
        )
    annotation = annotations.resolve(
        parameter.annotation,
        f"parameter {parameter.name!r}",
        # An ordinary default is never checked, so its annotation is not needed.
        is_optional=parameter.default is not parameter.empty,
    )
    return Parameter(
        name=parameter.name,
        annotation=annotation,
        default=parameter.default,
        is_context=_is_context(annotation),
        is_positional_only=parameter.kind is parameter.POSITIONAL_ONLY,
        is_keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
    )


def _read_return(annotation: Any, annotations: _Annotations, where: str) -> tuple[Any, bool]:
    if annotation is inspect.Signature.empty:
        raise DefinitionError(where, "its return type is missing; annotate it, `-> None` if none")
    resolved = annotations.resolve(annotation, "its return type")
    if typing.get_origin(resolved) in _AWAITABLES:
        return typing.get_args(resolved)[-1], True
    return resolved, False


def _is_context(annotation: Any) -> bool:
    kinds = [annotation]
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    kind = kinds[0] if len(kinds) == 1 else None
    kind = typing.get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, Context)


class _Annotations:
    """Resolves the annotations of one function."""

    def __init__(self, module: dict[str, Any], names: Mapping[str, Any], where: str) -> None:
        self._module = module
        self._names = dict(names)
        self._where = where

    def resolve(self, annotation: Any, subject: str, *, is_optional: bool = False) -> Any:
        """Return the type behind an annotation.

        Args:
            annotation: A type, text, or `inspect.Parameter.empty`.
            subject: What has the annotation, for errors.
            is_optional: Whether what cannot be resolved may stay so until it is needed.
        """
        if annotation is inspect.Parameter.empty:
            return annotation
        try:
            resolved = typing.get_type_hints(
                SimpleNamespace(__annotations__={"it": annotation}),
                self._module,
                self._names,
                include_extras=True,
            )["it"]
        except Exception as error:
            # Text in an annotation is code, which may raise anything.
            if is_optional:
                return Unresolved(annotation, error)
            raise self.unresolved(annotation, subject, error) from error
        if variables := _type_variables(resolved):
            reason = f"leaves {variables} open, so values cannot be checked; use concrete types"
            raise DefinitionError(self._where, f"{subject} {reason}")
        return resolved

    def unresolved(self, annotation: Any, subject: str, error: Exception) -> DefinitionError:
        """Return the error that says why an annotation cannot be resolved and what to do."""
        return unresolved(self._where, subject, annotation, error)


class Unresolved:
    """An annotation that could not be resolved, and was not needed so far."""

    def __init__(self, annotation: Any, error: Exception) -> None:
        self.annotation = annotation
        self.error = error


def unresolved(where: str, subject: str, annotation: Any, error: Exception) -> DefinitionError:
    """Return the error that says why an annotation cannot be resolved and what to do."""
    reason = f"{subject} has the annotation {annotation!r}, which cannot be resolved: {error}"
    advice = (
        "Names in annotations must exist when the flow is defined: import them outside "
        "`if TYPE_CHECKING`, and define types before the flow, best at the top of a module"
    )
    return DefinitionError(where, f"{reason}. {advice}")


def _type_variables(annotation: Any) -> str:
    if isinstance(annotation, TypeVar):
        return str(annotation)
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        # A generic class without its arguments stands for itself, with Any or its bounds.
        return ""
    return ", ".join(map(str, getattr(annotation, "__parameters__", ())))
