"""What the model speaks of: flows and their steps, states of steps, tasks, and reports."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from core_sql_support.jsonb import NULL


class DefinitionRefused(Exception):
    """A step that contradicts itself or its flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a flow."""

    slug: str
    deps: frozenset[str] = frozenset()  # waited for, and delivered
    after: frozenset[str] = frozenset()  # waited for, and not delivered
    map_over: str | None = None  # a dependency, or "run" for the flow input; None: a single step
    required: dict[str, Any] | None = None
    forbidden: dict[str, Any] | None = None
    when_unmet: str = "skip"  # or fail, or skip-cascade
    when_exhausted: str = "fail"  # or skip, or skip-cascade
    takes_flow_input: bool = False
    max_attempts: int = 3
    base_delay: int = 5
    max_delay: int = 3600
    start_delay: int = 0

    @property
    def waits_for(self) -> frozenset[str]:
        return self.deps | self.after

    @property
    def is_conditional(self) -> bool:
        return self.required is not None or self.forbidden is not None

    @property
    def structure(self) -> "Step":
        """The step without its options, which alone may change later."""
        options = dict.fromkeys(("max_attempts", "base_delay", "max_delay", "start_delay"), 0)
        return replace(self, takes_flow_input=False, **options)


class Flow:
    """A DAG of steps. They are added in topological order, so it can have no cycle."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def add_step(self, step: Step) -> None:
        """Add a step, or give one that exists its options anew."""
        if step.deps & step.after or not step.waits_for <= self.steps.keys() - {step.slug}:
            raise DefinitionRefused("dependencies are distinct steps that exist")
        if step.map_over not in (None, "run", *step.deps):
            raise DefinitionRefused("a map runs over one of its dependencies, or the flow input")
        if step.map_over and not step.waits_for and step.is_conditional:
            raise DefinitionRefused("a condition asks for an object, and this input is an array")
        if self.steps.get(step.slug, step).structure != step.structure:
            raise DefinitionRefused("the step exists with another structure")
        self.steps[step.slug] = step

    def children(self, slug: str) -> set[str]:
        return {step.slug for step in self.steps.values() if slug in step.waits_for}

    def descendants(self, slugs: Collection[str]) -> set[str]:
        below = {child for slug in slugs for child in self.children(slug)}
        return below | self.descendants(below) if below else below

    def map_fed_by(self, slug: str) -> str | None:
        """Find a map that runs over the output of a single step."""
        maps = (step.slug for step in self.steps.values() if step.map_over == slug)
        return next(maps, None) if self.steps[slug].map_over is None else None


@dataclass(slots=True)
class State:
    """One step of a run: created, started, then completed, failed, skipped or cancelled."""

    step: Step
    status: str = "created"
    initial_tasks: int | None = None  # None while a map waits for its array
    output: Any = NULL
    error: str | None = None
    skip_reason: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether dependents wait for it no more."""
        return self.status in ("completed", "skipped")


@dataclass(slots=True)
class Task:
    """One handler call: queued, started, perhaps again, then ended as steps are."""

    attempts: int = 0  # never falls, so that an old attempt is told from the current one
    free: int = 0  # how many of them do not count against max_attempts
    status: str = "queued"
    is_delayed: bool = False  # queued, and its time has not come
    requeued: int = 0
    worker: Any = None
    output: Any = NULL
    error: str | None = None


class Report(NamedTuple):
    """How an attempt ended, by an output or an error; attempt None is the current one."""

    step: str
    index: int
    attempt: int | None
    output: Any = NULL
    error: str = ""
    is_final: bool = False
    delay: int | None = None  # seconds, in place of the computed delay
