"""Writes the client for threads from the client on asyncio.

    uv run python pkgs/client/tools/make_sync.py

What the two do differently is in `_runtime`; all else is one text without its `async` and `await`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[1] / "src" / "pgflow_client"
SOURCE: Final = PACKAGE / "_async"
TARGET: Final = PACKAGE / "_sync"

HEADER: Final = """\
# Made by tools/make_sync.py from _async/{name}: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""

# Whole sentences first, then words.
PHRASES: Final = {
    "The client on asyncio; the source of its twin for threads.": (
        "The client for threads; made from its twin on asyncio."
    ),
    "All tasks of one event loop may share a client.": "All threads may share a client.",
    "pgflow_client._async": "pgflow_client._sync",
    "pgflow_client._runtime.aio": "pgflow_client._runtime.threads",
}
NAMES: Final = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncAttemptConnection": "AttemptConnection",
    "AsyncClient": "Client",
    "AsyncConnection": "Connection",
    "AsyncConnectionPool": "ConnectionPool",
    "AsyncCursor": "Cursor",
    "AsyncRun": "Run",
    "AsyncSender": "Sender",
    "AsyncShardedClient": "ShardedClient",
    "AsyncRunStep": "RunStep",
    "AsyncSubscription": "Subscription",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aclosing": "closing",
    "anext": "next",
    "asynccontextmanager": "contextmanager",
}


def to_sync(text: str, name: str) -> str:
    """Return a module for threads, unformatted.

    Args:
        text: The module on asyncio.
        name: Its file name.
    """
    for phrase, other in PHRASES.items():
        text = text.replace(phrase, other)
    text = re.sub(r"\ban (?=Async[A-Z])", "a ", text)
    text = re.sub(r"\basync (?=def\b|with\b|for\b)", "", text)
    text = re.sub(r"\bawait ", "", text)
    text = re.sub(r"  # noqa: ASYNC.*", "", text)
    text = re.sub(r"\bAsyncGenerator(\[.*, None)\]", r"Generator\1, None]", text)
    text = text.replace("AsyncGenerator", "Generator")
    text = re.sub(r"\bAwaitable\[(\w+)\]", r"\1", text).replace("Awaitable, ", "")
    words = "|".join(map(re.escape, sorted(NAMES, key=len, reverse=True)))
    text = re.sub(rf"\b({words})\b", lambda found: NAMES[found[1]], text)
    return HEADER.format(name=name) + text


def main() -> int:
    """Write every module anew."""
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.glob("*.py"):
        path.unlink()
    for path in sorted(SOURCE.glob("*.py")):
        (TARGET / path.name).write_text(to_sync(path.read_text(), path.name))
    # The order of imports and the length of lines have changed with the names.
    for command in (["check", "--quiet", "--select=I", "--fix"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(TARGET)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
