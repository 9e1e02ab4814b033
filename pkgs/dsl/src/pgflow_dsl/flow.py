"""Flows: DAGs of steps, defined by ordinary functions."""

from __future__ import annotations

from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from pydantic import ValidationError

from pgflow_dsl._definition import Draft
from pgflow_dsl._json_type import JsonType
from pgflow_dsl._locate import caller_module, find_global
from pgflow_dsl._problems import Refused, problems_of
from pgflow_dsl._slugs import check_slug
from pgflow_dsl.decorators import (
    MapDecorator,
    SkippableMapDecorator,
    SkippableStepDecorator,
    StepDecorator,
)
from pgflow_dsl.errors import DefinitionError, InputInvalid, UnknownStep
from pgflow_dsl.options import FlowOptions, StepArguments, check_options
from pgflow_dsl.references import ContextReference, InputReference
from pgflow_dsl.shape import flow_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from collections.abc import Set as AbstractSet

    from pgflow_dsl.conditions import Conditions
    from pgflow_dsl.context import Context
    from pgflow_dsl.options import SkipMode
    from pgflow_dsl.step import AnyStep, Step

__all__ = ["Array", "Flow"]

P = ParamSpec("P")
I = TypeVar("I")  # noqa: E741 (input: one letter as for the other type variables)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NotSkipped: TypeAlias = Literal["fail", "skip-cascade"]


class Array(Protocol[T_co]):
    """What a map may run over: lists, tuples and the like, but neither text nor dicts."""

    def __len__(self) -> int: ...
    # Text is a sequence of text, but only text itself can be in it: this tells it from a list.
    def __contains__(self, item: object, /) -> bool: ...
    def __getitem__(self, index: SupportsIndex, /) -> T_co: ...
    def __iter__(self) -> Iterator[T_co]: ...
    def __reversed__(self) -> Iterator[T_co]: ...


class Flow(Generic[I]):
    """A DAG of steps.

    Attributes:
        slug: Its name in the database.
        options: What its steps do unless they say otherwise.
    """

    @overload
    def __init__(
        self: Flow[None],
        slug: str,
        *,
        max_attempts: int | None = None,
        base_delay: timedelta | None = None,
        timeout: timedelta | None = None,
        max_delay: timedelta | None = None,
        jitter: float | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        slug: str,
        *,
        input: type[I],
        max_attempts: int | None = None,
        base_delay: timedelta | None = None,
        timeout: timedelta | None = None,
        max_delay: timedelta | None = None,
        jitter: float | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        slug: str,
        *,
        input: Any,
        max_attempts: int | None = None,
        base_delay: timedelta | None = None,
        timeout: timedelta | None = None,
        max_delay: timedelta | None = None,
        jitter: float | None = None,
    ) -> None: ...
    def __init__(
        self,
        slug: str,
        *,
        input: Any = None,
        max_attempts: int | None = None,
        base_delay: timedelta | None = None,
        timeout: timedelta | None = None,
        max_delay: timedelta | None = None,
        jitter: float | None = None,
    ) -> None:
        """Make a flow without steps.

        Args:
            slug: Its name in the database: 1 to 128 ASCII letters, digits and underscores.
            input: The type of what a run starts with: anything pydantic can turn into JSON and
                back. Type checkers cannot infer `int | None` and the like: write
                `Flow[int | None](..., input=int | None)`. None: runs take None.
            max_attempts: How often a task is tried in all, 1 or more. Default 3.
            base_delay: Unit of the backoff base_delay * 2^attempts, in whole seconds. Default 5 s.
            timeout: Longest time of one attempt, in whole seconds, 1 or more. Default 60 s.
            max_delay: Longest backoff, in whole seconds, 1 or more. Default 1 h.
            jitter: Random share of the backoff, 0 to 1. Default 0.

        Raises:
            DefinitionError: The slug, the type or an option is wrong; says which and why.
        """
        where = f"flow {slug!r}"
        self.slug: Final = check_slug(slug, where)
        self.options: Final = FlowOptions(
            max_attempts=max_attempts,
            base_delay=base_delay,
            timeout=timeout,
            max_delay=max_delay,
            jitter=jitter,
        )
        check_options(self.options, where)
        self._input_type: Final = JsonType(input, {}, where, "its input type")
        self._input: Final = InputReference(self)
        self._steps: Final[dict[str, AnyStep]] = {}
        self._module: Final = caller_module()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.slug!r} of {len(self._steps)} steps>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # By name: another process gets the flow of its own copy of the module.
        name = find_global(self._module, self)
        if name is None:
            reason = (
                f"cannot be sent to another process, because no global of module "
                f"{self._module!r} is this flow; define it at the top of the module"
            )
            raise DefinitionError(f"flow {self.slug!r}", reason)
        return _load_flow, (self._module, name)

    @property
    def input(self) -> I:
        """A reference to the input of a run, to be the default of a step's parameter."""
        return cast("I", self._input)

    @property
    def context(self) -> Context:
        """A reference to the task's context, for `add` or to be the default of a parameter."""
        return cast("Context", ContextReference())

    @property
    def steps(self) -> tuple[AnyStep, ...]:
        """The steps in the order of their definition, in which every edge points forward."""
        return tuple(self._steps.values())

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of what a run can be started with."""
        return self._input_type.schema("validation")

    def get_step(self, slug: str) -> AnyStep:
        """Return the step with a slug.

        Raises:
            UnknownStep: The flow has none such.
        """
        try:
            return self._steps[slug]
        except KeyError:
            raise UnknownStep(self.slug, slug, tuple(self._steps)) from None

    def dump_input(self, value: I) -> str:
        """Return the input of a run as JSON text.

        Args:
            value: The input. What can be made one is accepted too, such as a dict for a model.

        Raises:
            InputInvalid: It does not fit; names the field and the reason.
        """
        try:
            return self._input_type.dump(value)
        except Refused as refused:
            first = refused
        try:
            return self._input_type.dump(self._input_type.convert(value))
        except Refused as refused:
            # Where converting changes nothing, the first reason is the one about the value.
            problems = refused.problems or first.problems
            raise InputInvalid(self.slug, None, problems) from refused

    def load_input(self, text: str | bytes) -> I:
        """Return the input of a run from JSON text.

        Raises:
            InputInvalid: The text is not JSON or does not fit; names the field and the reason.
        """
        try:
            return cast("I", self._input_type.load(text))
        except ValidationError as error:
            raise InputInvalid(self.slug, None, problems_of(error)) from error

    def shape(self) -> dict[str, Any]:
        """Return the flow as JSON-like data, equal for equal definitions.

        Times are whole seconds, and only options that were given appear.
        """
        return flow_shape(self)

    @overload
    def step(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Step[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def step(self, fn: Callable[P, T], /) -> Step[P, T, T]: ...
    @overload
    def step(
        self,
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
        *,
        when_not: Conditions,
        when_unmet: Literal["skip"] | None = None,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> SkippableStepDecorator: ...
    @overload
    def step(
        self,
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
        *,
        when_not: Conditions,
        when_unmet: NotSkipped,
        when_exhausted: NotSkipped = "fail",
        **options: Unpack[StepArguments],
    ) -> StepDecorator: ...
    @overload
    def step(
        self, *, when_exhausted: NotSkipped = "fail", **options: Unpack[StepArguments]
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
            when: Patterns that outputs must contain, by step, and the input must, by flow.
            when_not: Patterns that must not all be contained.
            when_unmet: What becomes of the step if a condition is not met. Default "skip".
            when_exhausted: What becomes of it if its attempts are used up. Default "fail".
            options: `slug`, by default the function's name; `after`, steps that must be done
                before; `executor`, where a plain function runs; `max_attempts`, `base_delay`,
                `timeout`, `max_delay`, `jitter` as for flows; `start_delay`, the time between
                being ready and the first attempt.

        Raises:
            DefinitionError: The function, its wiring or an option is wrong.
        """
        decorator = StepDecorator(
            Draft(
                flow=self,
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
                flow=self,
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
        return StepDecorator(Draft(flow=self, register=self._register)).add(fn, *args, **kwargs)

    def _register(self, step: AnyStep) -> None:
        self._steps[step.slug] = step


def _load_flow(module: str, name: str) -> Any:
    # Imported here, where it is needed only in the processes of a pool.
    from importlib import import_module

    return getattr(import_module(module), name)
