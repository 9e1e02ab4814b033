"""A worker, started by the very words of a file in deploy/."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.house.workspace import ROOT
from tests.support import until

DEPLOY = ROOT / "deploy"
PATIENCE = timedelta(seconds=60)
# The port that all files name.
PORT = "8080"
# What a worker may take beyond its shutdown timeout, to hand back and to say goodbye.
GRACE = 20
PGFLOW = str(Path(sys.executable).parent / "pgflow")
FLOWS = """
import asyncio
from pgflow_dsl import Flow

shop = Flow("shop", input=list[float])

@shop.map(over=shop.input)
async def pack(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds
"""


class Serving:
    """A worker that serves.

    Attributes:
        port: The port of its probes, in place of the one in the file.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: str) -> None:
        self.port = port
        self._process = process

    def answers(self, path: str) -> int:
        """Return the status that a path answers with; 0 where nobody does."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status
        except HTTPError as error:
            with error:
                return error.code
        except OSError:
            assert self._process.poll() is None, "the worker has ended by itself"
            return 0

    def body(self, path: str) -> str:
        """Return what a path answers."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def end(self) -> int:
        """Send what orchestrators send, and return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


@contextmanager
def serving(words: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[Serving]:
    """Run a command of pgflow's in a folder that has the flows, until the block ends.

    Args:
        words: What follows `pgflow`.
        folder: Where `flows.py` is written, and what runs there.
        env: What the file sets.
    """
    (folder / "flows.py").write_text(FLOWS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        [PGFLOW, *(word.replace(PORT, port).replace("0.0.0.0", "127.0.0.1") for word in words)],
        cwd=folder,
        env={**os.environ, **env},
    )
    served = Serving(process, port)
    try:
        until(lambda: served.answers("/ready") == 200, PATIENCE)
        yield served
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def option(words: list[str], name: str) -> float:
    """Read a number that an option has among the words of a command."""
    [value] = [word.removeprefix(f"--{name}=") for word in words if word.startswith(f"--{name}=")]
    return float(value)
