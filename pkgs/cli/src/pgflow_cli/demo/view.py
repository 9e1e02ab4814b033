"""What the demo needs of a terminal, or of whatever else its output goes to."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pgflow_cli.demo.state import RunView, StepView

__all__ = ["View", "choose_view"]


class View(Protocol):
    """Shows what goes on."""

    def title(self, text: str) -> None:
        """Show what is being done, first of all."""
        ...

    def busy(self, text: str) -> AbstractContextManager[None]:
        """Show that something takes its time."""
        ...

    def done(self, text: str) -> None:
        """Show that something is done."""
        ...

    def watching(self, run: RunView) -> AbstractContextManager[None]:
        """Show a run while it goes on, and how it ended."""
        ...

    def show(self, step: StepView) -> None:
        """Show that a step has changed."""
        ...

    def say(self, text: str = "") -> None:
        """Show a line of text."""
        ...

    def fact(self, name: str, text: str) -> None:
        """Show a name and what stands behind it."""
        ...

    def command(self, command: str, purpose: str) -> None:
        """Show a command to type, and what for."""
        ...


def choose_view() -> View:
    """Choose the live view for a terminal, and plain lines for everything else."""
    # A name of a file is no reason to fail, whatever the terminal can show.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from pgflow_cli.demo.board import Board

        return Board()
    from pgflow_cli.demo.lines import Lines

    return Lines()
