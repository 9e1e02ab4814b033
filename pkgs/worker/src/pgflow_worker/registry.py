"""Finding the handler of a task by its slugs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pgflow_client.worker_protocol import name_of
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

    Attributes:
        flows: The flows.
        flow_slugs: The slugs by which their tasks are claimed: the names of the flows, until it is
            known which of their versions are served.
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

    def serve(self, flow_slugs: Iterable[str]) -> None:
        """Claim tasks of these versions from now on."""
        # In place: whoever claims holds this list.
        self.flow_slugs[:] = flow_slugs

    def find(self, flow_slug: str | None, step_slug: str) -> Handler | None:
        """Return the handler of a step; None where this code does not have the step.

        Args:
            flow_slug: The flow, or a version of it.
            step_slug: The step.
        """
        return self._handlers.get((name_of(flow_slug or ""), step_slug))

    def in_versions(self, steps: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return steps, each with its flow, in every version that is served."""
        return [
            (flow_slug, step_slug)
            for name, step_slug in steps
            for flow_slug in self.flow_slugs
            if name_of(flow_slug) == name
        ]


def _require_flow(flow: object) -> None:
    if not isinstance(flow, Flow):
        raise FlowsInvalid(f"a worker serves flows, and {flow!r} is none")


def _handler(flow: Flow[Any], step: AnyStep) -> Handler:
    timeout = step.options.timeout or flow.options.timeout or _DEFAULT_TIMEOUT
    return Handler(step=step, timeout=timeout.total_seconds())
