"""Background jobs: flows of one step, spelt in one line."""

# What an async function sends and yields is None here, not Any: with an Any in the type of a job,
# mypy gives up on overloads that tell jobs from flows.
#
# A function of a context alone also is one of some input; the first overload that fits decides.
# mypy: disable-error-code="overload-overlap"

from __future__ import annotations

from dataclasses import fields
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from pgflow_dsl._signature import Handler, Parameter, Unresolved, read_handler, unresolved
from pgflow_dsl.errors import DefinitionError
from pgflow_dsl.flow import Flow
from pgflow_dsl.options import FlowOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import timedelta

    from pgflow_dsl.context import Context
    from pgflow_dsl.options import Backoff, ExecutorOption
    from pgflow_dsl.step import Step

__all__ = ["Job", "JobArguments", "JobDecorator", "job"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
I = TypeVar("I")  # noqa: E741 (input; one letter like every type variable)
O_co = TypeVar("O_co", covariant=True)
T = TypeVar("T")

_FLOW_OPTIONS: Final = frozenset(field.name for field in fields(FlowOptions))


class JobArguments(TypedDict, total=False):
    """The options of `job`."""

    slug: str
    executor: ExecutorOption | None
    transactional: bool
    max_attempts: int | None
    base_delay: timedelta | None
    timeout: timedelta | None
    start_delay: timedelta | None
    max_delay: timedelta | None
    jitter: float | None
    backoff: Backoff | None


class Job(Flow[I], Generic[P, R_co, I, O_co]):
    """A flow of one step whose input is what its function takes. Calling it calls the function.

    Attributes:
        main: The step. It has the flow's slug.
    """

    def __init__(self, fn: Callable[..., Any], options: Mapping[str, Any]) -> None:
        """Make a job; see `job`, which knows the types."""
        handler = read_handler(fn)
        given = dict(options)
        slug: str = given.pop("slug", None) or handler.name
        place = _input_place(handler)
        parameter = handler.parameters[place] if place is not None else None
        annotation: Any = None if parameter is None else _annotation(parameter, handler)
        super().__init__(
            slug,
            input=annotation,
            **{name: given.pop(name) for name in _FLOW_OPTIONS & given.keys()},
        )
        references: list[Any] = [self.context] * (place or 0)
        if parameter is not None:
            references.append(self.input)
        # What was checked when the decorator was called has no types here.
        add_step: Any = self.step
        self.main: Final[Step[P, R_co, O_co]] = add_step(slug=slug, **given).add(fn, *references)
        # What help(), inspect and tracebacks look for in a function.
        self.__wrapped__: Callable[..., Any] = fn
        self.__name__: str = getattr(fn, "__name__", slug)
        self.__qualname__: str = getattr(fn, "__qualname__", slug)
        self.__doc__: str | None = getattr(fn, "__doc__", None)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function here and now, as if it were no job."""
        return self.main(*args, **kwargs)


class JobDecorator:
    """Makes jobs; `job` is the one without options."""

    def __init__(self, options: JobArguments | None = None) -> None:
        self._options: Final[Mapping[str, Any]] = cast("Mapping[str, Any]", options or {})

    @overload
    def __call__(
        self, fn: Callable[[Context, I], Coroutine[Any, Any, T]], /
    ) -> Job[[Context, I], Coroutine[None, None, T], I, T]: ...
    @overload
    def __call__(self, fn: Callable[[Context, I], T], /) -> Job[[Context, I], T, I, T]: ...
    @overload
    def __call__(
        self, fn: Callable[[Context], Coroutine[Any, Any, T]], /
    ) -> Job[[Context], Coroutine[None, None, T], None, T]: ...
    @overload
    def __call__(self, fn: Callable[[Context], T], /) -> Job[[Context], T, None, T]: ...
    @overload
    def __call__(
        self, fn: Callable[[I], Coroutine[Any, Any, T]], /
    ) -> Job[[I], Coroutine[None, None, T], I, T]: ...
    @overload
    def __call__(self, fn: Callable[[I], T], /) -> Job[[I], T, I, T]: ...
    @overload
    def __call__(
        self, fn: Callable[[], Coroutine[Any, Any, T]], /
    ) -> Job[[], Coroutine[None, None, T], None, T]: ...
    @overload
    def __call__(self, fn: Callable[[], T], /) -> Job[[], T, None, T]: ...
    @overload
    def __call__(self, /, **options: Unpack[JobArguments]) -> JobDecorator: ...
    def __call__(self, fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Make a job of a function: `@job`, or `@job(...)` with options.

        Args:
            fn: A function of one parameter, the job's input, or of none. A `Context` may come
                before it; parameters after it keep their defaults.
            options: `slug`, by default the function's name, and the options of flows and steps.

        Raises:
            DefinitionError: The function or an option is wrong.
        """
        if fn is None:
            return JobDecorator(cast("JobArguments", {**self._options, **options}))
        return Job[..., Any, Any, Any](fn, {**self._options, **options})


job: Final = JobDecorator()
"""Make a background job of a function: `@job` or `@job(max_attempts=5)`."""


def _input_place(handler: Handler) -> int | None:
    """Return which parameter takes the input, None where none does."""
    place: int | None = None
    for index, parameter in enumerate(handler.parameters):
        if parameter.is_context:
            continue
        if place is None and not parameter.is_keyword_only:
            place = index
        elif parameter.default is parameter.empty:
            reason = f"has no default, but a job has one input; put parameter {parameter.name!r}"
            advice = "and the others into a model, a dataclass or a TypedDict"
            raise DefinitionError(handler.where, f"parameter {parameter.name!r} {reason} {advice}")
    return place


def _annotation(parameter: Parameter, handler: Handler) -> Any:
    subject = f"parameter {parameter.name!r}"
    if parameter.annotation is parameter.empty:
        raise DefinitionError(handler.where, f"{subject} has no annotation to check the input with")
    if isinstance(parameter.annotation, Unresolved):
        problem = parameter.annotation
        raise unresolved(handler.where, subject, problem.annotation, problem.error)
    return parameter.annotation
