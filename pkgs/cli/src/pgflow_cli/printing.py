"""Words for people and data for scripts: results on stdout, messages on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = [
    "complain",
    "may_color",
    "paint",
    "print_json",
    "print_json_line",
    "printable",
    "progress",
    "say",
    "spell_seconds",
]

# What a terminal obeys, or turns the reading around by, and people do not see.
_COMMANDS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text of unknown origin as one that a terminal shows, and that commands nothing.

    Args:
        text: Such as the message of an error, a tag, or the name of a program.
    """
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(message: str) -> None:
    """Tell people something; a script that reads stdout does not see it."""
    click.echo(message, err=True)


def complain(message: str) -> None:
    """Tell people what went wrong."""
    click.echo(f"{paint('Error:', 'red')} {printable(message)}", err=True)


def print_json(value: Any) -> None:
    """Print data for scripts: indented JSON on stdout."""
    click.echo(_dump(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print data as one line of JSON on stdout, for scripts that read while a command goes on."""
    click.echo(_dump(value))


def paint(text: str, color: str, *, bold: bool = False) -> str:
    """Colour a text for a terminal; it stays plain where the output is none, or NO_COLOR is set.

    Args:
        text: The text.
        color: A colour that click knows, such as "red".
        bold: Whether it is bold, too.
    """
    # What is no terminal, `click.echo` finds out by itself.
    return click.style(text, fg=color, bold=bold or None) if may_color() else text


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show on stderr how far something has come, where that is a terminal.

    Args:
        what: What is done, such as "Deleting".
        total: How much of it there is.

    Yields:
        A function to call with how much more is done.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=total, label=what, file=sys.stderr) as bar:
        yield bar.update


def may_color() -> bool:
    """Tell whether the environment leaves colours to us."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def spell_seconds(seconds: float) -> str:
    """Return a span of time for people: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _dump(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    # In JSON, only text can hold one of these, and there it may as well stand escaped.
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
