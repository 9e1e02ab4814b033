"""Where things are written: a function's file and line, the frame and module of a definition."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

# `Flow[int](...)` is called by a frame of typing.
_PASSED_OVER: Final = frozenset({__name__.partition(".")[0], "typing"})


def plain_function(fn: Callable[..., Any]) -> Any:
    """Return the innermost function: without partials, wrappers and bound methods."""
    inner: Any = fn
    while True:
        if hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        elif hasattr(inner, "__func__"):
            inner = inner.__func__
        elif _is_partial(inner):
            inner = inner.func
        elif not hasattr(inner, "__code__") and hasattr(type(inner).__call__, "__code__"):
            inner = type(inner).__call__
        else:
            return inner


def describe(fn: Callable[..., Any]) -> str:
    """Return "function 'fetch' (flows.py:12)", as much of it as can be known."""
    inner = plain_function(fn)
    name = getattr(inner, "__qualname__", None) or repr(fn)
    # Where a function is nested does not help to find it, the line does.
    short = name.rpartition("<locals>.")[2]
    code: CodeType | None = getattr(inner, "__code__", None)
    if code is None:
        return f"function {short!r}"
    return f"function {short!r} ({code.co_filename}:{code.co_firstlineno})"


def caller_module() -> str:
    """Return the name of the module that called into this package."""
    for frame in _outer_frames():
        return str(frame.f_globals.get("__name__", "__main__"))
    return "__main__"


def defining_locals(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return the names that were visible where a function is defined, its module's left out.

    They come from the function's own closure, and from the function that defines it where that
    one still runs. A name that neither holds, such as an annotation of an outer function's
    variable, cannot be found.
    """
    inner = plain_function(fn)
    names: dict[str, Any] = {}
    parent, nested, _ = getattr(inner, "__qualname__", "").rpartition(".<locals>.")
    if nested:
        for frame in _outer_frames():
            is_there = frame.f_globals is inner.__globals__
            if is_there and frame.f_code.co_qualname == parent:
                names.update(frame.f_locals)
                break
    code: CodeType | None = getattr(inner, "__code__", None)
    if code is not None and inner.__closure__ is not None:
        for name, cell in zip(code.co_freevars, inner.__closure__, strict=True):
            try:
                names[name] = cell.cell_contents
            except ValueError:
                # Assigned only after this definition, so it cannot be a type used here.
                continue
    return names


def _is_partial(value: object) -> bool:
    kind = type(value)
    return kind.__module__ == "functools" and hasattr(value, "func") and hasattr(value, "keywords")


def _outer_frames() -> Iterator[FrameType]:
    frame = inspect.currentframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in _PASSED_OVER:
            yield frame
        frame = frame.f_back


def find_global(module_name: str, value: object) -> str | None:
    """Return the name under which a module holds a value, None where it does not."""
    module = sys.modules.get(module_name)
    for name, held in vars(module).items() if module is not None else ():
        if held is value:
            return name
    return None
