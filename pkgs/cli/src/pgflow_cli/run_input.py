"""The input of a run as a user gives it: an argument, a file, or standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from pgflow_cli.errors import InputUnreadable

__all__ = ["read_input"]

STDIN: Final = "-"
# Characters of the input that are shown around what is wrong in it.
_SHOWN: Final = 30


def read_input(argument: str | None, file: Path | None) -> tuple[str, Any]:
    """Read the input of a run.

    Args:
        argument: JSON text, or - for standard input; None where it was not given.
        file: A file with JSON text, or - for standard input; None where it was not given.

    Returns:
        The JSON text and what it says; null where nothing was given.

    Raises:
        InputUnreadable: It cannot be read, or is not JSON; says where.
    """
    if argument is not None and file is not None:
        raise click.UsageError("give the input once: as INPUT, or with --input")
    source, text = "INPUT", argument
    if STDIN in (argument, str(file)):
        source, text = "standard input", _decode("standard input", sys.stdin.buffer.read())
    elif file is not None:
        source, text = str(file), _decode(str(file), _bytes_of(file))
    if text is None:
        return "null", None
    return text, _parse(source, text)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputUnreadable(str(file), f"cannot be read: {error.strerror}") from error


def _decode(source: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputUnreadable(source, f"is not UTF-8 text: {error.reason}") from error


def _parse(source: str, text: str) -> Any:
    if not text.strip():
        raise InputUnreadable(source, "is empty, and not JSON; write null for no input")

    def refuse(constant: str) -> NoReturn:
        raise InputUnreadable(source, f"is not JSON: there is no {constant} in it")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        before = text[max(0, error.pos - _SHOWN) : error.pos].rpartition("\n")[2]
        after = text[error.pos : error.pos + _SHOWN].partition("\n")[0]
        what = error.msg[:1].lower() + error.msg[1:]
        place = f"line {error.lineno}, column {error.colno}"
        lines = [f"is not JSON: {what} at {place}", f"  {before}{after}", f"  {' ' * len(before)}^"]
        if source == "INPUT" and error.pos == 0:
            lines.append("A text needs quotes of its own, as in '\"text\"'.")
        raise InputUnreadable(source, "\n".join(lines)) from error
    except (RecursionError, ValueError) as error:
        # Nested too deeply, or a number of thousands of digits.
        raise InputUnreadable(source, f"cannot be read: {error}") from error
