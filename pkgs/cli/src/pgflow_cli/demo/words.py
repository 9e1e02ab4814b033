"""What the demo says of a step, in the terminal and in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import timedelta

    from pgflow_cli.demo.state import StepView

# What the steps of the demo mean by it, which no event can tell.
WHY_SKIPPED: Final = {"sum_up_python": "no Python files"}
WHY_RETRIED: Final = {"fetch_motto": "on purpose"}


def describe(step: StepView) -> str:
    """Say in some words how a step is doing; "" where its standing says it all."""
    match step.standing:
        case "running" if step.is_map:
            return f"{step.tasks_done:,} of {step.tasks_total:,}"
        case "retrying":
            return f"{_failed_attempts(step)}, trying again"
        case "done":
            return ", ".join(_achievements(step))
        case "skipped":
            return WHY_SKIPPED.get(step.slug, "condition not met")
        case "failed":
            return " ".join((step.error_message or "").split())
        case _:
            return ""


def spell(duration: timedelta) -> str:
    """Write a time for people, such as "0.31 s" or "2 min 5 s"."""
    seconds = duration.total_seconds()
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def spell_rate(rate: float) -> str:
    """Write a number of tasks a second."""
    return f"{rate:,.0f}/s"


def _achievements(step: StepView) -> list[str]:
    said: list[str] = []
    if step.duration is not None:
        counted = f"{step.tasks_total:,} in " if step.is_map else ""
        said.append(f"{counted}{spell(step.duration)}")
    if step.is_map and step.rate:
        said.append(spell_rate(step.rate))
    if step.failed_attempts:
        said.append(f"{step.failed_attempts} retr{'y' if step.failed_attempts == 1 else 'ies'}")
    return said


def _failed_attempts(step: StepView) -> str:
    if step.failed_attempts > 1:
        return f"failed {step.failed_attempts} times"
    why = WHY_RETRIED.get(step.slug)
    return f"failed once {why}" if why else "failed once"
