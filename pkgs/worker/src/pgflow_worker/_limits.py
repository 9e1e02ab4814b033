"""How many tasks of a flow or a step a worker runs at once."""

from typing import Any

from pgflow_dsl import AnyStep, Flow, Step

from pgflow_worker.errors import WorkerOptionsInvalid
from pgflow_worker.options import LimitsOption
from pgflow_worker.registry import Registry


class Limits:
    """The limits of a worker, checked against what it serves.

    Args:
        given: The limits as `WorkerOptions` has them.
        registry: What the worker serves.

    Raises:
        WorkerOptionsInvalid: One is for a flow or step that the worker does not serve.

    Attributes:
        counts: The limits by queue, "flow" or "flow.step".
        steps: The limited steps, each with its flow.
    """

    def __init__(self, given: LimitsOption | None, registry: Registry) -> None:
        self.counts: dict[str, int] = {}
        self.steps: list[tuple[str, str]] = []
        for limited, count in (given or {}).items():
            queue = _queue_of(limited)
            flow_slug, dot, step_slug = queue.partition(".")
            if flow_slug not in registry.flow_slugs:
                raise WorkerOptionsInvalid(f"limits: the worker does not serve flow {flow_slug!r}")
            if dot and registry.find(flow_slug, step_slug) is None:
                raise WorkerOptionsInvalid(f"limits: flow {flow_slug!r} has no step {step_slug!r}")
            self.counts[queue] = count
            if dot:
                self.steps.append((flow_slug, step_slug))


def _queue_of(limited: Flow[Any] | AnyStep | str) -> str:
    if isinstance(limited, Step):
        return f"{limited.flow.slug}.{limited.slug}"
    return limited.slug if isinstance(limited, Flow) else limited
