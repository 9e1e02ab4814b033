"""Servers for tests: they end with the process that starts them, and leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pgflow_cli.embedded.server import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["FAST", "throwaway_server"]

# Nothing of a test needs to survive a power cut.
FAST: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

_PREFIX: Final = "pgflow-tests-"
# Seconds in which a process that begins has locked its folder.
_LOCKED_BY_THEN: Final = 60


@contextmanager
def throwaway_server(
    settings: Mapping[str, str] = FAST, *, binaries: Path | None = None
) -> Generator[EmbeddedServer]:
    """Run a server of its own, which is stopped and deleted at the end.

    Those of processes that were killed before they could do so are deleted, too.

    Args:
        settings: Server settings.
        binaries: The folder of the PostgreSQL programs; None to find one.

    Raises:
        EmbeddedError: The server could not be started.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Another account runs the server when the tests run as root.
    folder.chmod(0o711)
    server = EmbeddedServer(folder / "server", binaries=binaries, settings=settings)
    with (folder / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            server.start()
            yield server
        finally:
            server.reset()
            shutil.rmtree(folder)


def _sweep() -> None:
    """Remove the servers of processes that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        alive = folder / "alive"
        try:
            # A process that begins at this moment has made the file, and not yet locked it.
            is_old = time.time() - alive.stat().st_mtime > _LOCKED_BY_THEN
            if not is_old or folder.lstat().st_uid != os.geteuid():
                continue
            with alive.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                EmbeddedServer(folder / "server").reset()
                shutil.rmtree(folder)
        except OSError:
            continue
