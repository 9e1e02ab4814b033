"""Finding the line of people's own code that an error is about."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pgflow_dsl

__all__ = ["Described", "describe_error"]

_OURS: Final = Path(__file__).parent
_DSL: Final = Path(inspect.getfile(pgflow_dsl)).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An error and its place, in words.

    Attributes:
        reason: The class and the message of the error.
        place: File and line in people's own code; None where none is known.
        code: The text of that line; None where it cannot be read.
    """

    reason: str
    place: str | None
    code: str | None


def describe_error(error: BaseException) -> Described:
    """Describe an error that people's code raised, by the innermost line that is theirs.

    Args:
        error: With its traceback.
    """
    if isinstance(error, SyntaxError) and error.filename is not None:
        code = error.text.strip() if error.text else None
        place = f"{_shown(error.filename)}, line {error.lineno}"
        return Described(reason=f"{type(error).__name__}: {error.msg}", place=place, code=code)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SystemExit):
        reason = f"it ends the process (SystemExit: {error.code})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and not _is_below(frame.filename, (_OURS,))
    ]
    own = [frame for frame in frames if not _is_library(frame.filename)]
    if not frames:
        return Described(reason=reason, place=None, code=None)
    frame = (own or frames)[-1]
    place = f"{_shown(frame.filename)}, line {frame.lineno}"
    return Described(reason=reason, place=place, code=frame.line or None)


def _is_library(filename: str) -> bool:
    paths = sysconfig.get_paths()
    installed = (Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return _is_below(filename, (*installed, _DSL))


def _is_below(filename: str, folders: tuple[Path, ...]) -> bool:
    path = Path(filename).resolve()
    return any(path.is_relative_to(folder.resolve()) for folder in folders)


def _shown(filename: str) -> str:
    """Name a file from the current folder where it is below, else in full."""
    try:
        return os.fspath(Path(filename).resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, FileNotFoundError):
        return filename
