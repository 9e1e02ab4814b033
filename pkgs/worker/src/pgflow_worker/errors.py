"""Errors of a worker.

PgflowError
 ├── ExtraMissing          a library that is installed only on request is not there
 ├── FlowShapeMismatch     the database has the flow with another structure
 ├── FlowsInvalid          the worker was given no flow, or two with one slug
 ├── LoopCancelled         a handler has cancelled all tasks of the worker's event loop
 ├── WorkerOptionsInvalid  an option is out of its range; also a ValueError
 └── WorkerStateInvalid    a worker was asked for what it cannot do in its state
"""

from collections.abc import Sequence

from pgflow_dsl.errors import PgflowError

__all__ = [
    "ExtraMissing",
    "FlowShapeMismatch",
    "FlowsInvalid",
    "LoopCancelled",
    "WorkerOptionsInvalid",
    "WorkerStateInvalid",
]


class ExtraMissing(PgflowError):
    """A library that is installed only on request is not there.

    Attributes:
        what: What needs it.
        extra: What to install, such as "pgflow-worker[prometheus]".
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, extra)
        self.what = what
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.what} needs a library that is not installed: pip install '{self.extra}'"


class FlowShapeMismatch(PgflowError):
    """The database has a flow with another structure than the code.

    Attributes:
        flow_slug: The flow.
        differences: One sentence a difference.
    """

    def __init__(self, flow_slug: str, differences: Sequence[str]) -> None:
        super().__init__(flow_slug, differences)
        self.flow_slug = flow_slug
        self.differences: tuple[str, ...] = tuple(differences)

    def __str__(self) -> str:
        listed = "".join(f"\n  - {difference}" for difference in self.differences)
        return (
            f"flow {self.flow_slug!r} has another structure in the database than in the code:"
            f"{listed}\nLet it become a new version (make_versions, or `pgflow worker` without "
            "--no-versions), or give the changed flow another slug; in development, let the worker "
            "define it anew, which deletes its runs (allow_data_loss, or --recompile)"
        )


class FlowsInvalid(PgflowError):
    """The flows that a worker was given cannot be served together."""


class LoopCancelled(PgflowError):
    """A handler has cancelled all tasks of its event loop, which are the worker's own, too.

    The worker ends: its attempt has failed, and what else was under way was handed back.

    Attributes:
        flow_slug: The flow.
        step_slug: The step whose handler it was.
        run_id: The run that it worked on.
    """

    def __init__(self, *, flow_slug: str, step_slug: str, run_id: str) -> None:
        super().__init__(flow_slug, step_slug, run_id)
        self.flow_slug = flow_slug
        self.step_slug = step_slug
        self.run_id = run_id

    def __str__(self) -> str:
        return (
            f"the handler of step {self.step_slug!r} of flow {self.flow_slug!r} has cancelled all "
            f"tasks of the event loop in run {self.run_id}, those of the worker among them. Let it "
            "cancel only tasks that it has made (asyncio.TaskGroup), or run an event loop of its "
            "own in a thread"
        )


class WorkerOptionsInvalid(PgflowError, ValueError):
    """An option of a worker is out of its range."""


class WorkerStateInvalid(PgflowError):
    """A worker was asked for what it cannot do in its state.

    Attributes:
        old: The state it is in.
        new: The state that was asked for.
    """

    def __init__(self, *, old: str, new: str) -> None:
        super().__init__(old, new)
        self.old = old
        self.new = new

    def __str__(self) -> str:
        return f"a worker that is {self.old} cannot become {self.new}; make a new one"
