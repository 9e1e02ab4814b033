"""Where the embedded server can run at all."""

from __future__ import annotations

import sys

from pgflow_cli.embedded.errors import PlatformUnsupported


def require_posix() -> None:
    """Refuse operating systems without accounts, file locks and Unix sockets.

    Raises:
        PlatformUnsupported: This is Windows.
    """
    if sys.platform in {"win32", "cygwin"}:
        raise PlatformUnsupported(sys.platform)
