"""What `flow.step(...)` and `flow.map(...)` return: they turn functions into typed steps.

Each class gives the types that one kind of step has. A step that may be skipped has an output of
`T | None`, because that is what its dependents get.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from pgflow_dsl._definition import Draft, define

if TYPE_CHECKING:
    from pgflow_dsl.context import Context
    from pgflow_dsl.step import MapStep, Step

__all__ = ["MapDecorator", "SkippableMapDecorator", "SkippableStepDecorator", "StepDecorator"]

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", contravariant=True)


class StepDecorator:
    """Makes a step that is never left out while its dependents run."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Step[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, fn: Callable[P, T], /) -> Step[P, T, T]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        """Make a step of a function whose parameters have references as defaults.

        Args:
            fn: The function.

        Returns:
            The step, in the function's place.

        Raises:
            DefinitionError: The function or its wiring is wrong.
        """
        return define(self._draft, fn)

    @overload
    def add(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Step[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def add(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Step[P, T, T]: ...
    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a step of any function, its parameters given as if it were called.

        Args:
            fn: The function; it stays as it is and may serve in other flows.
            args: References, or values that are the same for every task.
            kwargs: The same, by name.

        Raises:
            DefinitionError: The function or its wiring is wrong.
        """
        return define(self._draft, fn, args, kwargs)


class SkippableStepDecorator:
    """Makes a step that dependents may have to do without: they get None for it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Step[P, Coroutine[Any, Any, T], T | None]: ...
    @overload
    def __call__(self, fn: Callable[P, T], /) -> Step[P, T, T | None]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        """Make a step of a function, as `StepDecorator` does."""
        return define(self._draft, fn)

    @overload
    def add(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Step[P, Coroutine[Any, Any, T], T | None]: ...
    @overload
    def add(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Step[P, T, T | None]: ...
    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a step of any function, as `StepDecorator.add` does."""
        return define(self._draft, fn, args, kwargs)


class MapDecorator(Generic[E]):
    """Makes a step that runs once for each element; its output is the list of their outputs.

    The function's first parameter takes the element. Its `Context`, if it takes one, may come
    before, and parameters that take references after it.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @overload
    def __call__(
        self, fn: Callable[Concatenate[Context, E, P], Coroutine[Any, Any, T]], /
    ) -> MapStep[Concatenate[Context, E, P], Coroutine[Any, Any, T], list[T]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Context, E, P], T], /
    ) -> MapStep[Concatenate[Context, E, P], T, list[T]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[E, P], Coroutine[Any, Any, T]], /
    ) -> MapStep[Concatenate[E, P], Coroutine[Any, Any, T], list[T]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[E, P], T], /
    ) -> MapStep[Concatenate[E, P], T, list[T]]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        """Make a map of a function.

        Args:
            fn: The function.

        Returns:
            The step, in the function's place.

        Raises:
            DefinitionError: The function or its wiring is wrong.
        """
        return define(self._draft, fn)

    @overload
    def add(
        self,
        fn: Callable[Concatenate[Context, E, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> MapStep[Concatenate[Context, E, P], Coroutine[Any, Any, T], list[T]]: ...
    @overload
    def add(
        self, fn: Callable[Concatenate[Context, E, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> MapStep[Concatenate[Context, E, P], T, list[T]]: ...
    @overload
    def add(
        self,
        fn: Callable[Concatenate[E, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> MapStep[Concatenate[E, P], Coroutine[Any, Any, T], list[T]]: ...
    @overload
    def add(
        self, fn: Callable[Concatenate[E, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> MapStep[Concatenate[E, P], T, list[T]]: ...
    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a map of any function.

        Args:
            fn: The function; it stays as it is and may serve in other flows.
            args: References or values for the parameters after the element.
            kwargs: The same, by name.

        Raises:
            DefinitionError: The function or its wiring is wrong.
        """
        return define(self._draft, fn, args, kwargs)


class SkippableMapDecorator(Generic[E]):
    """Makes a map that dependents may have to do without: they get None for it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    @overload
    def __call__(
        self, fn: Callable[Concatenate[Context, E, P], Coroutine[Any, Any, T]], /
    ) -> MapStep[Concatenate[Context, E, P], Coroutine[Any, Any, T], list[T] | None]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Context, E, P], T], /
    ) -> MapStep[Concatenate[Context, E, P], T, list[T] | None]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[E, P], Coroutine[Any, Any, T]], /
    ) -> MapStep[Concatenate[E, P], Coroutine[Any, Any, T], list[T] | None]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[E, P], T], /
    ) -> MapStep[Concatenate[E, P], T, list[T] | None]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Any:
        """Make a map of a function, as `MapDecorator` does."""
        return define(self._draft, fn)

    @overload
    def add(
        self,
        fn: Callable[Concatenate[Context, E, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> MapStep[Concatenate[Context, E, P], Coroutine[Any, Any, T], list[T] | None]: ...
    @overload
    def add(
        self, fn: Callable[Concatenate[Context, E, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> MapStep[Concatenate[Context, E, P], T, list[T] | None]: ...
    @overload
    def add(
        self,
        fn: Callable[Concatenate[E, P], Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> MapStep[Concatenate[E, P], Coroutine[Any, Any, T], list[T] | None]: ...
    @overload
    def add(
        self, fn: Callable[Concatenate[E, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> MapStep[Concatenate[E, P], T, list[T] | None]: ...
    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a map of any function, as `MapDecorator.add` does."""
        return define(self._draft, fn, args, kwargs)
