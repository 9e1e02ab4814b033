"""Showing a run's events until its end, a line each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from pgflow_client import (
    AttemptsFailed,
    MapProgressed,
    RunEnded,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)

from pgflow_cli.printing import paint
from pgflow_cli.reporting import CANCELLED, FAILED

if TYPE_CHECKING:
    from pgflow_client import Event, Run

__all__ = ["describe", "watch_run"]

_EXIT_CODES = {"completed": 0, "failed": FAILED, "cancelled": CANCELLED}
_COLORS = {"completed": "green", "failed": "red", "skipped": "yellow", "cancelled": "yellow"}


def watch_run(run: Run[Any], *, as_json: bool) -> int:
    """Print a run's events until it has ended, and return the exit code that tells how.

    Args:
        run: The run.
        as_json: Whether each event is a line of JSON.
    """
    code = 0
    for event in run.events():
        if as_json:
            fields = {"event": type(event).__name__, **asdict(event)}
            click.echo(json.dumps(fields, default=str))
        else:
            click.echo(describe(event))
        if isinstance(event, RunEnded):
            code = _EXIT_CODES[event.status]
    if code == 0 and not as_json:
        click.echo(json.dumps(run.result(), indent=2, ensure_ascii=False, default=str))
    return code


def describe(event: Event) -> str:
    """Return an event as a line for people."""
    match event:
        case RunStarted():
            return f"run of {event.flow_slug} started"
        case StepStarted():
            tasks = f", {event.tasks} tasks" if event.tasks != 1 else ""
            return f"  {event.step_slug} started{tasks}"
        case MapProgressed():
            return f"  {event.step_slug} {event.done} of {event.total}"
        case AttemptsFailed():
            times = (
                "an attempt" if event.failed_attempts == 1 else f"{event.failed_attempts} attempts"
            )
            return f"  {event.step_slug}: {times} failed so far"
        case StepCompleted():
            return f"  {event.step_slug} {_status('completed')}"
        case StepFailed():
            return f"  {event.step_slug} {_status('failed')}: {event.error_message}"
        case StepSkipped():
            why = (event.reason or "").replace("_", " ")
            return f"  {event.step_slug} {_status('skipped')} ({why})"
        case StepCancelled():
            return f"  {event.step_slug} {_status('cancelled')}"
        case RunEnded():
            reason = f": {event.error_message}" if event.error_message else ""
            return f"run {_status(event.status)}{reason}"


def _status(status: str) -> str:
    return paint(status, _COLORS[status])
