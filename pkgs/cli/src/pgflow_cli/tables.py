"""What `pgflow status` and `pgflow runs` show people, as lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pgflow_cli.columns import lay_out
from pgflow_cli.printing import paint, printable, spell_seconds
from pgflow_cli.retired import serving_retired
from pgflow_cli.watching import COLORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from pgflow_client import RunProgress, RunSummary, StepProgress
    from pgflow_client.overview import FailedAttempt, FlowOverview, Overview, WorkerOverview
    from pgflow_client.upkeep import HeldTask, WorkerLoad
    from pgflow_client.versions import FlowVersion

__all__ = [
    "overview_lines",
    "retired_lines",
    "run_lines",
    "summary_lines",
    "unserved_lines",
    "version_lines",
    "worker_lines",
]

# Characters of an error in a table; the whole of it is a line of its own, or in --json.
_LONGEST_REASON = 60
# Characters of one where it has a line of its own.
_LONGEST_MESSAGE = 300


def overview_lines(overview: Overview, place: str) -> Iterator[str]:
    """Give the lines that show a database.

    Args:
        overview: What it does.
        place: Which it is, in words.
    """
    yield f"schema version {overview.schema_version} in {place}"
    yield ""
    if overview.flows:
        runs = ("running", "completed", "failed", "cancelled")
        numbers = ("steps", *runs, "ready", "delayed", "claimed")
        yield from lay_out(
            ("flow", *numbers),
            [_flow_row(flow) for flow in overview.flows],
            whole=numbers,
            first_to_go=("steps", "cancelled"),
        )
    else:
        yield "no flows yet: `pgflow worker MODULE:FLOW` defines one and serves it"
    yield ""
    if overview.workers:
        rows = [_worker_row(worker) for worker in overview.workers]
        of_workers = ("worker", "state", "started", "flows", "id")
        yield from lay_out(of_workers, rows, whole={"id"}, first_to_go=("id",))
    else:
        yield "no workers"


def run_lines(run: RunProgress, attempts: Sequence[FailedAttempt] | None) -> Iterator[str]:
    """Give the lines that show a run.

    Args:
        run: Where it stands.
        attempts: Its latest failed attempts; None where they may not be read.
    """
    color = COLORS.get(run.status)
    status = paint(run.status, color) if color else run.status
    yield f"run {run.run_id} of {run.flow_slug}: {status}"
    yield f"started {run.started_at.astimezone():%Y-%m-%d %H:%M:%S}, {_duration(run)}"
    if run.error_message:
        what = (
            "cancelled" if run.status == "cancelled" else f"{run.failed_step_slug or 'it'} failed"
        )
        yield f"{what}: {printable(run.error_message)}"
    yield ""
    heads = ("step", "kind", "status", "tasks", "failed", "time", "why")
    rows = [_step_row(step) for step in run.steps]
    whole = {"status", "tasks", "time"}
    yield from lay_out(heads, rows, whole=whole, first_to_go=("kind",))
    if attempts is None:
        yield ""
        yield "The attempts that failed are shown to members of pgflow_reader."
    elif attempts:
        yield ""
        yield "Failed attempts, the latest first:"
        for attempt in attempts:
            yield _attempt_line(attempt, run)


def summary_lines(runs: Sequence[RunSummary]) -> Iterator[str]:
    """Give the lines that list runs."""
    if not runs:
        yield "no runs"
        return
    heads = ("run", "flow", "status", "started", "time", "tags", "why")
    rows = [_summary_row(run) for run in runs]
    whole = {"run", "status", "started", "time"}
    yield from lay_out(heads, rows, whole=whole, first_to_go=("tags", "time"))


def version_lines(versions: Sequence[FlowVersion]) -> Iterator[str]:
    """Give the lines that show versions of flows."""
    if not versions:
        yield "no flows yet: `pgflow worker MODULE:FLOW` defines one and serves it"
        return
    heads = ("flow", "version", "state", "steps", "open runs", "workers", "since")
    yield from lay_out(heads, [_version_row(each) for each in versions], first_to_go=("since",))
    yield from unserved_lines(versions)


def unserved_lines(versions: Sequence[FlowVersion]) -> Iterator[str]:
    """Give a line for each version whose runs wait for a worker."""
    for each in versions:
        if each.open_runs and not each.workers:
            runs = "run waits" if each.open_runs == 1 else "runs wait"
            slug = f"version {each.version} of {each.flow}"
            yield f"No worker serves {slug}: {each.open_runs:,} {runs}."


def retired_lines(
    workers: Sequence[WorkerOverview], versions: Sequence[FlowVersion]
) -> Iterator[str]:
    """Give a line for each worker and flow of which it serves what is retired, and nothing else."""
    for worker, each in serving_retired(workers, versions):
        slug = f"version {each.version} of {each.flow}"
        yield f"{worker.place} serves {slug}, which is retired, and no other of that flow."


def _version_row(version: FlowVersion) -> tuple[object, ...]:
    state = "current" if version.is_current else "superseded"
    if version.retired_at is not None:
        state = "retired"
    counts = (version.steps, version.open_runs, version.workers)
    return (version.flow, version.version, state, *counts, _when(version.created_at))


def worker_lines(
    workers: Sequence[WorkerOverview], loads: Mapping[UUID, WorkerLoad]
) -> Iterator[str]:
    """Give the lines that show workers and what they hold."""
    if not workers:
        yield "no workers: `pgflow worker MODULE:FLOW` runs one"
        return
    heads = ("worker", "state", "started", "last heard of", "tasks", "flows", "id")
    rows = [_load_row(worker, loads) for worker in workers]
    yield from lay_out(heads, rows, whole={"id"}, first_to_go=("id", "started"))
    held = [
        (worker.place, task)
        for worker in workers
        if worker.worker_id in loads
        for task in loads[worker.worker_id].tasks
    ]
    if held:
        yield ""
        heads = ("worker", "flow", "step", "task", "attempt", "for", "run")
        yield from lay_out(heads, [_held_row(place, task) for place, task in held], whole={"run"})


def _load_row(worker: WorkerOverview, loads: Mapping[UUID, WorkerLoad]) -> tuple[object, ...]:
    load = loads.get(worker.worker_id)
    state = {"deprecated": "draining"}.get(worker.state, worker.state)
    started = _when(worker.started_at)
    heard = f"{spell_seconds(_seconds_since(worker.last_heartbeat_at))} ago"
    count = 0 if load is None else load.count
    flows = _short(", ".join(worker.flow_slugs))
    return (worker.place, state, started, heard, count, flows, worker.worker_id)


def _held_row(place: str, task: HeldTask) -> tuple[object, ...]:
    span = spell_seconds(_seconds_since(task.started_at))
    return (place, task.flow_slug, task.step_slug, task.task_index, task.attempt, span, task.run_id)


def _seconds_since(instant: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - instant).total_seconds())


def _summary_row(run: RunSummary) -> tuple[object, ...]:
    time = ""
    if run.ended_at is not None:
        time = spell_seconds((run.ended_at - run.started_at).total_seconds())
    tags = " ".join(f"{name}={_plain(value)}" for name, value in run.tags.items())
    where = f"{run.failed_step_slug}: " if run.failed_step_slug else ""
    why = _short(f"{where}{run.error_message or ''}".partition("\n")[0])
    started = _when(run.started_at)
    return (run.run_id, run.flow_slug, run.status, started, time, _short(tags), why)


def _when(instant: datetime) -> str:
    """Spell an instant: without the day, where that is today."""
    local = instant.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str, longest: int = _LONGEST_REASON) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _flow_row(flow: FlowOverview) -> tuple[object, ...]:
    runs = (flow.runs_started, flow.runs_completed, flow.runs_failed, flow.runs_cancelled)
    tasks = (flow.tasks_ready, flow.tasks_delayed, flow.tasks_started)
    return (flow.flow_slug, flow.steps, *runs, *tasks)


def _worker_row(worker: WorkerOverview) -> tuple[object, ...]:
    started = _when(worker.started_at)
    return (worker.place, worker.state, started, ", ".join(worker.flow_slugs), worker.worker_id)


def _step_row(step: StepProgress) -> tuple[object, ...]:
    tasks = "" if step.tasks_total is None else f"{step.tasks_done}/{step.tasks_total}"
    reason = step.error_message or (step.skip_reason or "").replace("_", " ")
    why = _short(reason.partition("\n")[0])
    time = ""
    if step.started_at is not None and step.ended_at is not None:
        time = spell_seconds((step.ended_at - step.started_at).total_seconds())
    return (step.step_slug, step.kind, step.status, tasks, step.failed_attempts or "", time, why)


def _attempt_line(attempt: FailedAttempt, run: RunProgress) -> str:
    maps = {step.step_slug for step in run.steps if step.kind == "map"}
    place = f"[{attempt.task_index}]" if attempt.step_slug in maps else ""
    when = f"{attempt.failed_at.astimezone():%H:%M:%S}"
    what = f"{attempt.step_slug}{place}, attempt {attempt.attempt}"
    return f"  {when} {what}: {printable(_short(attempt.error_message, _LONGEST_MESSAGE))}"


def _duration(run: RunProgress) -> str:
    end = run.ended_at or datetime.now(UTC)
    spelt = spell_seconds(max(0.0, (end - run.started_at).total_seconds()))
    return f"took {spelt}" if run.is_ended else f"under way for {spelt}"
