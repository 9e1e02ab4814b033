"""A table of a run's steps that changes while the run goes on."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pgflow_client import (
    AttemptsFailed,
    MapProgressed,
    RunReopened,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pgflow_cli.printing import printable, spell_seconds

if TYPE_CHECKING:
    from collections.abc import Generator

    from pgflow_client import Event, RunProgress, StepProgress
    from rich.console import RenderableType

__all__ = ["StepTable", "drawn"]

_STYLES: Final = {
    "created": "dim",
    "started": "cyan",
    "completed": "green",
    "failed": "bold red",
    "skipped": "yellow",
    "cancelled": "yellow",
}
# Columns of a terminal that leave room for a long bar.
_ROOMY: Final = 100


@contextmanager
def drawn(table: StepTable) -> Generator[None]:
    """Keep a table on the terminal, up to date, for as long as the context lasts."""
    console = Console()
    table.bar_width = 24 if console.width >= _ROOMY else 10
    with Live(table, console=console, refresh_per_second=8):
        yield


class StepTable:
    """The steps of a run as a table, brought up to date by its events.

    Args:
        progress: Where the run stands, looked at right after its start.

    Attributes:
        bar_width: Columns for the bar of a map.
    """

    def __init__(self, progress: RunProgress) -> None:
        self._steps: Final = {step.step_slug: step for step in progress.steps}
        # The database's clock and this machine's may differ.
        self._ahead: Final = progress.started_at - datetime.now(UTC)
        self.bar_width = 24

    def apply(self, event: Event) -> None:
        """Take in what happened."""
        if isinstance(event, RunReopened):
            for slug in event.step_slugs:
                self._steps[slug] = _put_back(self._steps[slug])
        step = self._steps.get(getattr(event, "step_slug", ""))
        if step is not None:
            self._steps[step.step_slug] = _changed(step, event)

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in ("step", "status", "tasks"):
            table.add_column(head, no_wrap=True)
        for head in ("failed", "time"):
            table.add_column(head, justify="right", no_wrap=True)
        # The only one that gives way where the terminal is narrow.
        table.add_column("")
        for step in self._steps.values():
            table.add_row(*self._cells(step))
        return table

    def _cells(self, step: StepProgress) -> list[RenderableType]:
        why = step.error_message or (step.skip_reason or "").replace("_", " ")
        return [
            step.step_slug,
            Text(step.status, style=_STYLES[step.status]),
            _tasks(step, self.bar_width),
            str(step.failed_attempts or ""),
            self._time(step),
            Text(printable(why.partition("\n")[0]), style="dim", no_wrap=True, overflow="ellipsis"),
        ]

    def _time(self, step: StepProgress) -> str:
        if step.started_at is None:
            return ""
        end = step.ended_at or datetime.now(UTC) + self._ahead
        return spell_seconds(max(0.0, (end - step.started_at).total_seconds()))


def _tasks(step: StepProgress, bar_width: int) -> RenderableType:
    if step.kind != "map" or step.tasks_total is None:
        return ""
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=max(1, step.tasks_total), completed=step.tasks_done, width=bar_width),
        f"{step.tasks_done}/{step.tasks_total}",
    )
    return bar


def _put_back(step: StepProgress) -> StepProgress:
    return replace(
        step,
        status="created",
        tasks_done=0,
        error_message=None,
        skip_reason=None,
        started_at=None,
        ended_at=None,
    )


def _changed(step: StepProgress, event: Event) -> StepProgress:
    match event:
        case StepStarted():
            return replace(step, status="started", tasks_total=event.tasks, started_at=event.at)
        case MapProgressed():
            return replace(step, tasks_done=event.done, tasks_total=event.total)
        case AttemptsFailed():
            return replace(step, failed_attempts=event.failed_attempts)
        case StepCompleted():
            done = step.tasks_total or 0
            return replace(step, status="completed", tasks_done=done, ended_at=event.at)
        case StepFailed():
            message = event.error_message
            return replace(step, status="failed", error_message=message, ended_at=event.at)
        case StepSkipped():
            return replace(
                step,
                status="skipped",
                skip_reason=event.reason,
                error_message=event.error_message,
                ended_at=event.at,
            )
        case StepCancelled():
            return replace(step, status="cancelled", ended_at=event.at)
        case _:
            return step
