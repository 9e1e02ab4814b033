"""The standard output of a process that was started without one, as with `>&-`."""

from __future__ import annotations

import errno
import io
from typing import NoReturn

__all__ = ["ClosedOutput"]


class ClosedOutput(io.TextIOBase):
    """Refuses what is written to it: a result that goes nowhere is no success.

    A command that writes nothing does well without an output.
    """

    # So that click takes it for a stream of text, which it need not wrap.
    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str, /) -> NoReturn:
        """Refuse a text."""
        raise OSError(errno.EBADF, "standard output is closed, so there is nowhere to print to")
