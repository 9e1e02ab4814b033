"""Showing what happens to a run until its end: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from pgflow_client import (
    AttemptsFailed,
    MapProgressed,
    RunEnded,
    RunReopened,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)

from pgflow_cli.printing import may_color, paint, print_json, print_json_line, printable, say
from pgflow_cli.reporting import CANCELLED, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from pgflow_client import Event, Run

__all__ = ["COLORS", "describe", "watch_run"]

COLORS = {"completed": "green", "failed": "red", "skipped": "yellow", "cancelled": "yellow"}
_EXIT_CODES = {"completed": 0, "failed": FAILED, "cancelled": CANCELLED}


def watch_run(run: Run[Any], *, as_json: bool, after: str | None = None) -> int:
    """Show a run's events until it has ended, then its output.

    Args:
        run: The run, not known to be one of a job.
        as_json: Whether to print events as lines of JSON, and nothing else.
        after: The cursor of the event after which to begin; None begins with the first.

    Returns:
        The exit code that tells how it ended.
    """
    try:
        if as_json:
            for event in run.events(after):
                print_json_line({"event": type(event).__name__, **asdict(event)})
        else:
            click.echo(f"run {run.run_id}")
            _watch(run, after)
            if run.status == "completed":
                print_json(run.result())
        return _EXIT_CODES[run.status]
    except KeyboardInterrupt:
        say(f"\nThe run goes on; `pgflow runs show {run.run_id}` shows where it stands.")
        return INTERRUPTED


def describe(event: Event) -> str:
    """Return an event as a line for people."""
    match event:
        case RunStarted() | RunReopened() | RunEnded():
            return _describe_run(event)
        case StepStarted():
            tasks = "" if event.tasks == 1 else f", {event.tasks} tasks"
            return f"  {event.step_slug} started{tasks}"
        case MapProgressed():
            return f"  {event.step_slug} {event.done} of {event.total}"
        case AttemptsFailed():
            many = f"{event.failed_attempts} attempts"
            count = "an attempt" if event.failed_attempts == 1 else many
            return f"  {event.step_slug}: {count} failed so far"
        case StepCompleted():
            return f"  {event.step_slug} {_status('completed')}"
        case StepFailed():
            return f"  {event.step_slug} {_status('failed')}{_because(event.error_message)}"
        case StepSkipped():
            why = (event.reason or "").replace("_", " ")
            return (
                f"  {event.step_slug} {_status('skipped')} ({why}){_because(event.error_message)}"
            )
        case StepCancelled():
            return f"  {event.step_slug} {_status('cancelled')}"


def _describe_run(event: RunStarted | RunReopened | RunEnded) -> str:
    match event:
        case RunStarted():
            return f"{event.flow_slug} started"
        case RunReopened():
            ended = f"run {_status(event.ended_as)}, then " if event.ended_as else "run "
            return f"{ended}reopened: {', '.join(event.step_slugs)}"
        case RunEnded():
            where = f" at {event.failed_step_slug}" if event.failed_step_slug else ""
            return f"run {_status(event.status)}{where}{_because(event.error_message)}"


def _watch(run: Run[Any], after: str | None) -> None:
    if not (sys.stdout.isatty() and may_color()):
        for event in run.events(after):
            click.echo(describe(event))
        return
    # Here, since lines do not need what draws the table.
    from pgflow_cli.live import StepTable, drawn

    table = StepTable(run.progress())
    ended = None
    with drawn(table):
        for event in run.events(after):
            table.apply(event)
            ended = event
    if isinstance(ended, RunEnded):
        click.echo(describe(ended))


def _because(message: str | None) -> str:
    return f": {printable(message)}" if message else ""


def _status(status: str) -> str:
    return paint(status, COLORS[status])
