"""Worker processes that are killed and frozen, and started again as a supervisor does."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from tests.chaos.ledger import FOLDER_VARIABLE

ROOT = Path(__file__).parents[2]
READY = " serves "
# How long a worker that ended by itself stays away, in seconds.
_PAUSE = 0.5


class WorkerProcess:
    """`pgflow worker` as a process, which is kept up by a thread of its own.

    Attributes:
        exits: How it ended by itself after it had been ready, which no outage is a reason for.
    """

    def __init__(self, number: int, url: str, folder: Path) -> None:
        self.exits: list[str] = []
        self._url = url
        self._log = folder / f"worker-{number}.log"
        self._environment = {**os.environ, "NO_COLOR": "1", FOLDER_VARIABLE: str(folder)}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._began_at = 0
        self._is_frozen = False
        self._start_at = 0.0
        self._is_ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper-{number}")

    @property
    def place(self) -> str | None:
        """Where it runs, as the database has it; None while it does not."""
        process = self._process
        return None if process is None else f"{socket.gethostname()}:{process.pid}"

    @property
    def is_ready(self) -> bool:
        """Whether this process of it has begun to serve."""
        return self._process is not None and READY in self._said()

    def start(self) -> None:
        """Start it, and from then on again whenever it ends."""
        self._keeper.start()

    def kill(self, away: float) -> None:
        """Kill it without a warning, and have it stay away for some seconds."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None
            self._start_at = time.monotonic() + away

    def freeze(self) -> None:
        """Stop the process where it stands."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> int:
        """Have it drain, and return its exit code; it is not started again."""
        self._is_ending.set()
        self._keeper.join()
        process = self._process
        if process is None:
            return 0
        self._signal(signal.SIGCONT)
        was_ready = self.is_ready
        process.terminate()
        try:
            code = process.wait(60)
            # One that had not begun yet ends as any program does.
            return code if was_ready else 0
        finally:
            process.kill()
            process.wait()

    def tail(self) -> str:
        """The last that it logged."""
        return self._log.read_text()[-3000:] if self._log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def _keep(self) -> None:
        while not self._is_ending.wait(0.05):
            with self._lock:
                if self._process is not None and self._process.poll() is not None:
                    if READY in self._said():
                        self.exits.append(
                            f"code {self._process.returncode}: {self._said()[-2000:]}"
                        )
                    self._process = None
                    self._start_at = time.monotonic() + _PAUSE
                if self._process is None and time.monotonic() >= self._start_at:
                    self._launch()

    def _launch(self) -> None:
        command = [sys.executable, "-m", "pgflow_cli", "worker", "tests.chaos.flows"]
        command += ["--database-url", self._url, "--concurrency", "20", "--threads", "8"]
        log: IO[bytes]
        with self._log.open("ab") as log:
            self._began_at = log.tell()
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def _said(self) -> str:
        """What the present process has logged."""
        return self._log.read_bytes()[self._began_at :].decode(errors="replace")
