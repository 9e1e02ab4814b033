"""How steps are added to a flow, and the types that they get by their options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from pgflow_dsl._definition import Draft
from pgflow_dsl.decorators import (
    MapDecorator,
    SkippableMapDecorator,
    SkippableStepDecorator,
    StepDecorator,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from collections.abc import Set as AbstractSet

    from pgflow_dsl.conditions import Conditions
    from pgflow_dsl.flow import Flow
    from pgflow_dsl.options import SkipMode, StepArguments
    from pgflow_dsl.step import AnyStep, Step

__all__ = ["Array", "StepAdder"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NotSkipped: TypeAlias = Literal["fail", "skip-cascade"]


class Array(Protocol[T_co]):
    """What a map may run over: lists, tuples and the like, but neither text nor dicts."""

    def __len__(self) -> int: ...
    # Text is a sequence of text, but only text itself can be in it: this tells it from a list.
    def __contains__(self, item: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> T_co: ...
    def __iter__(self) -> Iterator[T_co]: ...
    def __reversed__(self) -> Iterator[T_co]: ...


class StepAdder(ABC):
    """The part of a flow that adds steps to it."""

    @overload
    def step(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Step[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def step(self, fn: Callable[P, T], /) -> Step[P, T, T]: ...
    @overload
    def step(
        self,
        /,
        *,
        when_exhausted: Literal["skip"],
        when: Conditions | None = None,
        when_not: Conditions | None = None,
        when_unmet: SkipMode | None = None,
        **options: Unpack[StepArguments],
    ) -> SkippableStepDecorator: ...
    @overload
    def step(
        self,
        /,
        *,
        when: Conditions,
        when_not: Conditions | None = None,
        when_unmet: Literal["skip"] | None = None,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> SkippableStepDecorator: ...
    @overload
    def step(
        self,
        /,
        *,
        when_not: Conditions,
        when_unmet: Literal["skip"] | None = None,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> SkippableStepDecorator: ...
    @overload
    def step(
        self,
        /,
        *,
        when: Conditions,
        when_not: Conditions | None = None,
        when_unmet: NotSkipped,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> StepDecorator: ...
    @overload
    def step(
        self,
        /,
        *,
        when_not: Conditions,
        when_unmet: NotSkipped,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> StepDecorator: ...
    @overload
    def step(
        self, /, *, when_exhausted: NotSkipped = "fail", **options: Unpack[StepArguments]
    ) -> StepDecorator: ...
    def step(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        when: Conditions | None = None,
        when_not: Conditions | None = None,
        when_unmet: SkipMode | None = None,
        when_exhausted: SkipMode = "fail",
        **options: Any,
    ) -> Any:
        """Make a step of a function: `@flow.step`, or `@flow.step(...)` with options.

        Each parameter of the function has a reference as its default, which is an edge of the
        DAG; a parameter of type `Context` gets the task's context. Functions that are not the
        flow's own are added by `flow.step(...).add(fn, references...)`.

        Args:
            fn: The function.
            when: Patterns that outputs must contain, by step, and the input must, by flow. `{}`
                asks only whether a step completed, so `when_not={step: {}}` runs where it was
                skipped.
            when_not: Patterns that must not all be contained.
            when_unmet: What becomes of the step if a condition is not met. Default "skip".
            when_exhausted: What becomes of it if its attempts are used up. Default "fail".
            options: `slug`, by default the function's name; `after`, steps that must be done
                before; `executor`, where a plain function runs; `transactional`, whether what it
                writes with `ctx.connection` is committed together with its output or not at all;
                `max_attempts`, `base_delay`, `backoff`, `timeout`, `max_delay`, `jitter` as for
                flows; `start_delay`, the time between being ready and the first attempt.

        Raises:
            DefinitionError: The function, its wiring or an option is wrong.
        """
        decorator = StepDecorator(
            Draft(
                flow=cast("Flow[Any]", self),
                register=self._register,
                when=when,
                when_not=when_not,
                when_unmet=when_unmet,
                when_exhausted=when_exhausted,
                arguments=options,
            )
        )
        return decorator if fn is None else decorator(fn)

    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when_exhausted: Literal["skip"],
        when: Conditions | None = None,
        when_not: Conditions | None = None,
        when_unmet: SkipMode | None = None,
        **options: Unpack[StepArguments],
    ) -> SkippableMapDecorator[T]: ...
    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when: Conditions,
        when_not: Conditions | None = None,
        when_unmet: Literal["skip"] | None = None,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> SkippableMapDecorator[T]: ...
    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when_not: Conditions,
        when_unmet: Literal["skip"] | None = None,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> SkippableMapDecorator[T]: ...
    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when: Conditions,
        when_not: Conditions | None = None,
        when_unmet: NotSkipped,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> MapDecorator[T]: ...
    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when_not: Conditions,
        when_unmet: NotSkipped,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> MapDecorator[T]: ...
    @overload
    def map(
        self,
        over: Array[T] | AbstractSet[T] | None,
        *,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> MapDecorator[T]: ...
    def map(
        self,
        over: Any,
        *,
        when: Conditions | None = None,
        when_not: Conditions | None = None,
        when_unmet: SkipMode | None = None,
        when_exhausted: SkipMode = "fail",
        **options: Any,
    ) -> Any:
        """Make a step that runs its function once for each element of an array.

        The function's first parameter, its context aside, takes the element; further ones take
        references, whose values every element gets. The output is the list of outputs in order.
        If the array's step is skipped, there are no elements, and the output is an empty list.

        Args:
            over: A reference to the array: a step's output or the flow's input.
            when: As for `step`, and so are the others.
            when_not: Patterns that must not all be contained.
            when_unmet: What becomes of the step if a condition is not met.
            when_exhausted: What becomes of it if an element's attempts are used up.
            options: As for `step`; `start_delay` and retries are each element's.

        Raises:
            DefinitionError: The function, its wiring or an option is wrong.
        """
        return MapDecorator[Any](
            Draft(
                flow=cast("Flow[Any]", self),
                register=self._register,
                is_map=True,
                over=over,
                when=when,
                when_not=when_not,
                when_unmet=when_unmet,
                when_exhausted=when_exhausted,
                arguments=options,
            )
        )

    @overload
    def add(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Step[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def add(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Step[P, T, T]: ...
    def add(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Make a step of any function: `page = flow.add(fetch_page, flow.input)`.

        With options it is `flow.step(max_attempts=5).add(...)`, and for a map
        `flow.map(over=...).add(...)`.

        Args:
            fn: The function; it stays as it is and may serve in other flows.
            args: References, or values that are the same for every task, as in a call.
            kwargs: The same, by name.

        Raises:
            DefinitionError: The function or its wiring is wrong.
        """
        draft = Draft(flow=cast("Flow[Any]", self), register=self._register)
        return StepDecorator(draft).add(fn, *args, **kwargs)

    @abstractmethod
    def _register(self, step: AnyStep) -> None:
        """Add a finished step."""
