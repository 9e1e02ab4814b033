"""Flows: DAGs of steps, defined by ordinary functions."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from pydantic import ValidationError

from pgflow_dsl._adding import StepAdder
from pgflow_dsl._json_type import JsonType
from pgflow_dsl._locate import caller_module, find_global
from pgflow_dsl._mermaid import draw_mermaid
from pgflow_dsl._problems import Refused, problems_of
from pgflow_dsl._slugs import check_slug
from pgflow_dsl.errors import DefinitionError, InputInvalid, UnknownStep
from pgflow_dsl.options import FlowOptions, check_options
from pgflow_dsl.references import ContextReference, InputReference
from pgflow_dsl.shape import flow_shape

if TYPE_CHECKING:
    from datetime import timedelta

    from pgflow_dsl.context import Context
    from pgflow_dsl.options import Backoff
    from pgflow_dsl.step import AnyStep

__all__ = ["Flow"]

I = TypeVar("I")  # noqa: E741 (input; one letter like every type variable)


class Flow(StepAdder, Generic[I]):
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
        backoff: Backoff | None = None,
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
        backoff: Backoff | None = None,
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
        backoff: Backoff | None = None,
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
        backoff: Backoff | None = None,
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
            backoff: "exponential", or "fixed" for base_delay itself. Default exponential.

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
            backoff=backoff,
        )
        check_options(self.options, where)
        self._input_type: Final = JsonType(input, {}, where, "its input type")
        self._input: Final = InputReference(self)
        self._steps: Final[dict[str, AnyStep]] = {}
        self._module: Final = caller_module()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.slug!r}>"

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

    def to_mermaid(self) -> str:
        """Return the DAG as the text of a Mermaid flowchart; maps have double sides."""
        return draw_mermaid(self)

    def _register(self, step: AnyStep) -> None:
        self._steps[step.slug] = step


def _load_flow(module: str, name: str) -> Any:
    return getattr(import_module(module), name)
