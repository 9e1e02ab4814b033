"""Servers that live as long as a test session, and leave nothing behind."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pgflow_cli.embedded import EmbeddedServer, throwaway
from pgflow_cli.embedded.throwaway import FAST

__all__ = ["FAST", "throwaway_server"]

BINARIES_VARIABLE = "PGFLOW_TEST_PG_BIN"


@contextmanager
def throwaway_server(settings: Mapping[str, str] = FAST) -> Iterator[EmbeddedServer]:
    """Run a server of its own, which is stopped and deleted at the end.

    Args:
        settings: Server settings.
    """
    binaries = os.environ.get(BINARIES_VARIABLE)
    with throwaway.throwaway_server(
        settings, binaries=Path(binaries) if binaries else None
    ) as server:
        yield server
