"""Servers that live as long as a test session, and leave nothing behind."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pgflow_cli.embedded import EmbeddedServer

# Nothing of a test needs to survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PREFIX = "pgflow-tests-"
BINARIES_VARIABLE = "PGFLOW_TEST_PG_BIN"


@contextmanager
def throwaway_server(settings: Mapping[str, str] = FAST) -> Iterator[EmbeddedServer]:
    """Run a server of its own, which is stopped and deleted at the end.

    Args:
        settings: Server settings.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Another account runs the server when the tests run as root.
    folder.chmod(0o711)
    binaries = os.environ.get(BINARIES_VARIABLE)
    server = EmbeddedServer(
        folder / "server", binaries=Path(binaries) if binaries else None, settings=settings
    )
    with (folder / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        try:
            server.start()
            yield server
        finally:
            server.reset()
            shutil.rmtree(folder)


def _sweep() -> None:
    """Remove the servers of sessions that were killed before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        alive = folder / "alive"
        try:
            # A session that begins at this moment has made the file, and not yet locked it.
            is_old = time.time() - alive.stat().st_mtime > 60
            if not is_old or folder.lstat().st_uid != os.geteuid():
                continue
            with alive.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                EmbeddedServer(folder / "server").reset()
                shutil.rmtree(folder)
        except OSError:
            continue
