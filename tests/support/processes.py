"""Processes that tests start, all of which have to end with them."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

__all__ = ["no_process_left"]

VARIABLE = "PGFLOW_TEST_SESSION"
# Those that were told to end may take a while.
PATIENCE = 30.0
# What the standard library starts for as long as this process lives.
OF_THE_LIBRARY = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")


@contextmanager
def no_process_left() -> Iterator[None]:
    """Fail if a process that was started meanwhile, or one of its children, is still there.

    They are known by a variable in their environment, which says nothing where there is no /proc.
    """
    token = f"{VARIABLE}={uuid4()}"
    os.environ[VARIABLE] = token.partition("=")[2]
    yield
    end = time.monotonic() + PATIENCE
    while left := dict(_with(token.encode())):
        if time.monotonic() > end:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            pytest.fail(f"tests have left processes behind: {left}")
        time.sleep(0.05)


def _with(variable: bytes) -> Iterator[tuple[int, str]]:
    """Find processes by a variable of their environment: their ids and command lines."""
    for folder in Path("/proc").glob("[0-9]*"):
        # It may end meanwhile, and not every process lets itself be read.
        with suppress(OSError):
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes()
                if not any(each in command for each in OF_THE_LIBRARY):
                    yield int(folder.name), command.replace(b"\0", b" ").decode(errors="replace")
