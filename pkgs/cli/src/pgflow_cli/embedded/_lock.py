"""One process at a time decides about a server: a file lock, which ends with its owner."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from pgflow_cli.embedded.errors import FolderUnusable, LockTimeout

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class Deadline:
    """A point in time until which something may take."""

    def __init__(self, timeout: timedelta) -> None:
        self.timeout = timeout
        self._end = time.monotonic() + timeout.total_seconds()

    @property
    def left(self) -> float:
        """Seconds that are left; 0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    @property
    def has_passed(self) -> bool:
        """Whether no time is left."""
        return self.left == 0


@contextmanager
def exclusive(path: Path, deadline: Deadline) -> Generator[int]:
    """Hold a lock file for the length of a `with` block.

    The file stays: deleting a lock file lets two owners in.

    Args:
        path: The lock file, which is made when it is not there; its folder is there.
        deadline: Until when to wait for the lock.

    Yields:
        The descriptor of the lock. A child that inherits it keeps the lock until it ends, even
        when this process is killed; no child inherits it unasked.

    Raises:
        FolderUnusable: The file cannot be opened.
        LockTimeout: Another process kept the lock.
    """
    # Here, since Windows has none, and imports this module all the same.
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise FolderUnusable(
            path, f"it cannot be opened ({exc.strerror}); is the server another user's?"
        ) from exc
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if deadline.has_passed:
                    raise LockTimeout(path, deadline.timeout) from None
            time.sleep(0.01)
        yield descriptor
    finally:
        # The lock ends when the last process that has the descriptor closes it or ends.
        os.close(descriptor)
