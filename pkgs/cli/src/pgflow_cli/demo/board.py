"""The demo live in a terminal: the flow's graph, each step with how it is doing."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pgflow_cli.demo.graph import draw_graph
from pgflow_cli.demo.words import describe, spell_rate

if TYPE_CHECKING:
    from collections.abc import Generator

    from pgflow_cli.demo.graph import GraphLine
    from pgflow_cli.demo.state import RunView, StepView

MARKS: Final = {
    "waiting": ("○", "dim"),
    "running": ("◐◓◑◒", "blue"),
    "retrying": ("↻", "yellow"),
    "done": ("●", "green"),
    "skipped": ("◌", "dim"),
    "failed": ("✗", "red"),
    "cancelled": ("◌", "dim"),
}
TURNS_A_SECOND: Final = 4
REFRESHES_A_SECOND: Final = 12
LONGEST_BAR: Final = 32
SHORTEST_BAR: Final = 8


class Board:
    """Draws a run in place, again and again, with the terminal's own colours."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._map_began_at: dict[str, float] = {}

    def title(self, text: str) -> None:
        """Show what is being done."""
        self._print(Text(text, style="bold"))

    @contextmanager
    def busy(self, text: str) -> Generator[None]:
        """Show a turning mark for as long as something takes."""
        with self._console.status(Text(f"{text} ...", style="dim"), spinner="dots"):
            yield

    def done(self, text: str) -> None:
        """Show that something is done."""
        self._print(Text.assemble(("✓ ", "green"), text))

    @contextmanager
    def watching(self, run: RunView) -> Generator[None]:
        """Draw a run until it has ended; the last drawing stays."""
        drawing = _Drawing(run, self._map_began_at)
        self._print(Text())
        with Live(
            get_renderable=lambda: drawing.draw(self._console.width),
            console=self._console,
            refresh_per_second=REFRESHES_A_SECOND,
        ):
            yield
        self._print(Text())

    def show(self, step: StepView) -> None:
        """Remember since when a map runs; the drawing looks at the rest by itself."""
        if step.is_map and step.standing == "running":
            self._map_began_at.setdefault(step.slug, time.monotonic())

    def say(self, text: str = "") -> None:
        """Show a line of text."""
        self._print(Text(text))

    def fact(self, name: str, text: str) -> None:
        """Show a name and what stands behind it."""
        self._print_whole(Text.assemble((f"{name:<8}", "dim"), text))

    def command(self, command: str, purpose: str) -> None:
        """Show a command to type, and what for."""
        self._print_whole(Text.assemble("  ", (command, "bold"), "\n      ", (purpose, "dim")))

    def _print(self, text: Text) -> None:
        self._console.print(text)

    def _print_whole(self, text: Text) -> None:
        # The terminal breaks long lines itself, so that they can be copied as they are.
        self._console.print(text, soft_wrap=True)


class _Drawing:
    """A run's steps, one on each line beside the flow's graph."""

    def __init__(self, run: RunView, map_began_at: dict[str, float]) -> None:
        self._run = run
        self._graph = draw_graph(run.flow)
        self._slug_width = max(map(len, run.steps))
        self._map_began_at = map_began_at

    def draw(self, width: int) -> Group:
        """Draw all steps as they are now, on lines of at most so many columns."""
        lines: list[Text] = []
        below: list[Text] = []
        for graph_line in self._graph:
            step = self._run.steps[graph_line.slug]
            line = self._beginning(graph_line, step)
            room = width - line.cell_len
            if step.is_map and step.standing == "running":
                said = f"{describe(step)}, {self._rate(step)}"
                bar = room - len(said) - 2
                if bar >= SHORTEST_BAR:
                    line.append_text(_bar(step, min(bar, LONGEST_BAR))).append(f"  {said}")
                else:
                    bar = max(min(width - len(said) - 4, LONGEST_BAR), SHORTEST_BAR)
                    below.append(Text("  ").append_text(_bar(step, bar)).append(f"  {said}"))
            else:
                line.append(describe(step), "red" if step.standing == "failed" else "dim")
            lines.append(line)
        for line in (lines := lines + below):
            line.truncate(width, overflow="ellipsis")
        return Group(*lines)

    def _beginning(self, graph_line: GraphLine, step: StepView) -> Text:
        frames, color = MARKS[step.standing]
        mark = frames[int(time.monotonic() * TURNS_A_SECOND) % len(frames)]
        name_style = "dim" if color == "dim" else ""
        return Text.assemble(
            "  ",
            (graph_line.before, "dim"),
            (mark, color),
            f"{graph_line.after}  ",
            (f"{step.slug:<{self._slug_width}}  ", name_style),
            (f"{step.standing:<8}  ", color),
            no_wrap=True,
        )

    def _rate(self, step: StepView) -> str:
        seconds = time.monotonic() - self._map_began_at.get(step.slug, time.monotonic())
        return spell_rate(step.tasks_done / seconds if seconds else 0)


def _bar(step: StepView, width: int) -> Text:
    filled = width * step.tasks_done // max(step.tasks_total, 1)
    return Text.assemble(("━" * filled, "blue"), ("─" * (width - filled), "dim"))
