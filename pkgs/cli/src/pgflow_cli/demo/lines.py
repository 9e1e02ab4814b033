"""The demo as plain lines, written as things happen."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from pgflow_cli.demo.words import describe, spell_rate

if TYPE_CHECKING:
    from collections.abc import Generator

    from pgflow_cli.demo.state import RunView, StepView

# Seconds between two lines about one map.
PROGRESS_INTERVAL: Final = 1.0


@dataclass(slots=True)
class _Told:
    """When a map began, and when it was last told of."""

    began_at: float
    last_at: float


class Lines:
    """Writes one line for each thing that happens."""

    def __init__(self) -> None:
        self._width = 0
        self._began_at = 0.0
        self._maps: dict[str, _Told] = {}

    def title(self, text: str) -> None:
        """Write what is being done."""
        click.echo(text)

    @contextmanager
    def busy(self, text: str) -> Generator[None]:
        """Write that something takes its time."""
        click.echo(f"{text} ...")
        yield

    def done(self, text: str) -> None:
        """Write that something is done."""
        click.echo(text)

    @contextmanager
    def watching(self, run: RunView) -> Generator[None]:
        """Begin to count the time of what is shown."""
        self._width = max(map(len, run.steps))
        self._began_at = time.monotonic()
        yield

    def show(self, step: StepView) -> None:
        """Write how a step is doing, if that is news."""
        now = time.monotonic()
        said = describe(step)
        if step.standing == "running":
            told = self._maps.setdefault(step.slug, _Told(began_at=now, last_at=now))
            if not step.is_map or now - told.last_at < PROGRESS_INTERVAL:
                return
            told.last_at = now
            said += f", {spell_rate(step.tasks_done / (now - told.began_at))}"
        when = f"{now - self._began_at:7.2f} s"
        line = f"{when}  {step.slug:<{self._width}}  {step.standing:<8}  {said}"
        click.echo(line.rstrip())

    def say(self, text: str = "") -> None:
        """Write a line."""
        click.echo(text)

    def fact(self, name: str, text: str) -> None:
        """Write a name and what stands behind it."""
        click.echo(f"{name + ':':<8} {text}")

    def command(self, command: str, purpose: str) -> None:
        """Write a command to type, and what for."""
        click.echo(f"  {command}\n      {purpose}")
