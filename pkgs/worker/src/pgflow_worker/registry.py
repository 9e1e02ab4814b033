"""Finding the handler of a task by its slugs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pgflow_dsl import AnyStep, Flow

from pgflow_worker.errors import FlowsInvalid

_DEFAULT_TIMEOUT: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A step as the worker runs it.

    Attributes:
        step: The step.
        timeout: Longest time of one attempt, in seconds.
    """

    step: AnyStep
    timeout: float


class Registry:
    """The flows that a worker serves, and the handlers of their steps.

    Args:
        flows: The flows.

    Raises:
        FlowsInvalid: There is none, two have one slug, or one is something else.
    """

    def __init__(self, flows: Iterable[Flow[Any]]) -> None:
        self.flows: Final = tuple(flows)
        for flow in self.flows:
            _require_flow(flow)
        self.flow_slugs: Final = [flow.slug for flow in self.flows]
        if not self.flows:
            raise FlowsInvalid("a worker needs at least one flow to serve")
        twice = {slug for slug in self.flow_slugs if self.flow_slugs.count(slug) > 1}
        if twice:
            raise FlowsInvalid(f"several flows have the slug {', '.join(sorted(twice))}")
        self._handlers: Final = {
            (flow.slug, step.slug): _handler(flow, step)
            for flow in self.flows
            for step in flow.steps
        }

    def find(self, flow_slug: str | None, step_slug: str) -> Handler | None:
        """Return the handler of a step; None where this code does not have the step."""
        return self._handlers.get((flow_slug or "", step_slug))


def _require_flow(flow: object) -> None:
    if not isinstance(flow, Flow):
        raise FlowsInvalid(f"a worker serves flows, and {flow!r} is none")


def _handler(flow: Flow[Any], step: AnyStep) -> Handler:
    timeout = step.options.timeout or flow.options.timeout or _DEFAULT_TIMEOUT
    return Handler(step=step, timeout=timeout.total_seconds())
