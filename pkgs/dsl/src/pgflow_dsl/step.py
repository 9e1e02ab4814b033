"""Steps: the nodes of a flow, callable as the functions they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast

from pydantic import ValidationError

from pgflow_dsl._problems import Refused, problems_of
from pgflow_dsl.errors import HandlerInputInvalid, HandlerOutputInvalid
from pgflow_dsl.references import OutputReference

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgflow_dsl._binding import Binder, Json
    from pgflow_dsl._json_type import JsonType
    from pgflow_dsl.context import Context
    from pgflow_dsl.flow import Flow
    from pgflow_dsl.options import ExecutorOption, SkipMode, StepOptions

__all__ = ["AnyStep", "MapStep", "Step", "StepSpec"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
O_co = TypeVar("O_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """Everything a step is made of. `Step` describes the public ones."""

    slug: str
    flow: Flow[Any]
    fn: Callable[..., Any]
    where: str
    is_async: bool
    executor: ExecutorOption | None
    is_transactional: bool
    options: StepOptions
    delivered: tuple[AnyStep, ...]
    after: tuple[AnyStep, ...]
    takes_flow_input: bool
    required_pattern: dict[str, Any] | None
    forbidden_pattern: dict[str, Any] | None
    when_unmet: SkipMode
    when_exhausted: SkipMode
    binder: Binder
    output_type: JsonType
    result_type: JsonType


class Step(Generic[P, R_co, O_co]):
    """A node of a flow. Calling it calls its function.

    Attributes:
        slug: Its name within the flow.
        flow: The flow.
        kind: "single", or "map" for a `MapStep`.
        fn: The function.
        where: The function's name, file and line.
        is_async: Whether calling it gives something to await.
        executor: Where a sync function runs; None is a thread of the worker.
        is_transactional: Whether the output is recorded in the transaction of `ctx.connection`.
        options: Retries and timeouts; None in them inherits the flow's.
        delivered: Steps whose outputs the function takes.
        after: Further steps that only have to be done before.
        takes_flow_input: Whether the function takes the flow's input besides a map's element.
        required_pattern: What must be contained for the step to run, as the database gets it.
        forbidden_pattern: What must not be contained.
        when_unmet: What becomes of the step when a condition is not met.
        when_exhausted: What becomes of the step when its attempts are used up.
        takes_context: Whether the function takes the task's context.
        needs_shared_input: Whether `bind` needs what all elements of a map share.
    """

    kind: Literal["single", "map"] = "single"

    def __init__(self, spec: StepSpec) -> None:
        self.slug: Final = spec.slug
        self.flow: Final = spec.flow
        self.fn: Final[Callable[..., Any]] = spec.fn
        self.where: Final = spec.where
        self.is_async: Final = spec.is_async
        self.executor: Final = spec.executor
        self.is_transactional: Final = spec.is_transactional
        self.options: Final = spec.options
        self.delivered: Final = spec.delivered
        self.after: Final = spec.after
        self.takes_flow_input: Final = spec.takes_flow_input
        self.required_pattern: Final = spec.required_pattern
        self.forbidden_pattern: Final = spec.forbidden_pattern
        self.when_unmet: Final[SkipMode] = spec.when_unmet
        self.when_exhausted: Final[SkipMode] = spec.when_exhausted
        self.takes_context: Final = spec.binder.takes_context
        self.needs_shared_input: Final = self._needs_shared_input()
        self._binder: Final = spec.binder
        self._output_type: Final = spec.output_type
        self._result_type: Final = spec.result_type
        self._output: Final = OutputReference(self)
        # What help(), inspect and tracebacks look for in a function.
        self.__wrapped__: Callable[..., Any] = spec.fn
        self.__name__: str = getattr(spec.fn, "__name__", spec.slug)
        self.__qualname__: str = getattr(spec.fn, "__qualname__", spec.slug)
        self.__doc__: str | None = getattr(spec.fn, "__doc__", None)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, as if it were no step."""
        return cast("R_co", self.fn(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<{self.kind} step {self.slug!r} of flow {self.flow.slug!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # By name: another process gets the step of its own copy of the module.
        return _load_step, (self.flow, self.slug)

    @property
    def output(self) -> O_co:
        """A reference to the output, to be the default of another step's parameter."""
        return cast("O_co", self._output)

    @property
    def dependencies(self) -> tuple[AnyStep, ...]:
        """All steps that must be done before: delivered ones, then those that only order."""
        return self.delivered + self.after

    @property
    def has_conditions(self) -> bool:
        """Whether the step runs only where a condition is met."""
        return self.required_pattern is not None or self.forbidden_pattern is not None

    @property
    def may_be_skipped(self) -> bool:
        """Whether dependents may run without this step's output, and so get None for it."""
        return self.when_exhausted == "skip" or (self.has_conditions and self.when_unmet == "skip")

    @property
    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of what the function returns, for a map the output of one element."""
        return self._output_type.schema("serialization")

    def bind(
        self,
        input: Json,
        flow_input: Json | None,
        shared: Json | None,
        context: Context | None,
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments to call the function with for one task.

        Args:
            input: JSON text: an object of outputs by slug, or the element of a map.
            flow_input: JSON text of the flow's input; None where the function does not take it.
            shared: For maps with `needs_shared_input`, JSON text of an object: further outputs
                by slug, and the flow's input as "run".
            context: The task, for a parameter of type `Context`; may be None without
                `takes_context`.

        Returns:
            Positional and keyword arguments. A skipped step's output is None.

        Raises:
            HandlerInputInvalid: The data does not fit a parameter.
        """
        try:
            return self._bind(input, flow_input, shared, context)
        except Refused as refused:
            raise HandlerInputInvalid(self.flow.slug, self.slug, refused.problems) from refused

    def dump_output(self, value: object) -> str:
        """Return what the function returned for one task, as JSON text.

        Raises:
            HandlerOutputInvalid: It is not of the declared type, or not storable as JSON.
        """
        try:
            return self._output_type.dump(value)
        except Refused as refused:
            raise HandlerOutputInvalid(self.flow.slug, self.slug, refused.problems) from refused

    def load_output(self, text: Json | None) -> O_co:
        """Return the whole step's output, for a map a list of its elements' outputs.

        Args:
            text: JSON text; None for a step that was skipped.

        Raises:
            HandlerOutputInvalid: The text does not fit the declared type.
        """
        if text is None and self.may_be_skipped:
            return cast("O_co", None)
        try:
            return cast("O_co", self._result_type.load(text if text is not None else "null"))
        except ValidationError as error:
            problems = problems_of(error)
            raise HandlerOutputInvalid(self.flow.slug, self.slug, problems) from error

    def _needs_shared_input(self) -> bool:
        return False

    def _bind(
        self, input: Json, flow_input: Json | None, shared: Json | None, context: Context | None
    ) -> tuple[list[Any], dict[str, Any]]:
        return self._binder.bind(input, flow_input, context)


class MapStep(Step[P, R_co, O_co]):
    """A step that runs its function once for each element of an array.

    Attributes:
        over: The step whose output is the array; None where it is the flow's input.
    """

    kind: Literal["single", "map"] = "map"

    def __init__(self, spec: StepSpec, over: AnyStep | None) -> None:
        self.over: Final = over
        super().__init__(spec)

    def _needs_shared_input(self) -> bool:
        further = [step for step in self.delivered if step is not self.over]
        return bool(further) or self.takes_flow_input

    def _bind(
        self, input: Json, flow_input: Json | None, shared: Json | None, context: Context | None
    ) -> tuple[list[Any], dict[str, Any]]:
        return self._binder.bind(shared, input, context)


AnyStep: TypeAlias = Step[..., Any, Any]
"""A step whatever its types."""


def _load_step(flow: Flow[Any], slug: str) -> AnyStep:
    return flow.get_step(slug)
