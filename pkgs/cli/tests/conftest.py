"""Running the command as a user would: in a process of its own, in a folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support import until

FLOWS = """
import asyncio
from pgflow_dsl import Flow

add = Flow("add", input=int)

@add.step
async def plus_one(number: int = add.input) -> int:
    return number + 1

slow = Flow("slow", input=float)

@slow.step
async def sleep(seconds: float = slow.input) -> str:
    await asyncio.sleep(seconds)
    return "rested"

fan = Flow("fan", input=list[int], max_attempts=1)

@fan.map(over=fan.input)
async def double(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return 2 * number
"""

HANDLERS = """
import asyncio, time
from contextlib import asynccontextmanager
from datetime import timedelta
from pgflow_dsl import Context, Flow, job

@job(timeout=timedelta(seconds=1), max_attempts=1)
def hang(seconds: float) -> None:
    time.sleep(seconds)

@job
async def offload(seconds: float) -> None:
    await asyncio.to_thread(time.sleep, seconds)

@job
async def stubborn(seconds: float) -> None:
    while True:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            pass

@job
async def wreck(seconds: float) -> None:
    for task in asyncio.all_tasks():
        task.cancel()

@job(max_attempts=2, base_delay=timedelta(0))
def wrong(seconds: float) -> None:
    raise ValueError("wrong")

@job(executor="process")
def far(seconds: float) -> None:
    time.sleep(seconds)

@job
async def rest(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"

@job
async def tell(ctx: Context[str]) -> str:
    return ctx.resources

@asynccontextmanager
async def lifespan(worker):
    yield f"resources of a worker that is {worker.state}"

def reshaped(steps: int) -> Flow[None]:
    flow = Flow("shaped")
    for number in range(steps):
        @flow.step(slug=f"step_{number}")
        async def step() -> int:
            return 1
    return flow
"""

# A loaded machine is slow to start a process.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


class Command:
    """Runs `pgflow` in a folder, against a database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.program: tuple[str, ...] = ("-m", "pgflow_cli")
        self.env = {
            name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")
        }
        self.env |= {"PGFLOW_DATABASE_URL": url, "NO_COLOR": "1"}

    def __call__(self, *words: str, stdin: str = "") -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, *self.program, *words],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def start(
        self, *words: str, stderr: int | IO[str] = subprocess.PIPE, stdout: int | None = None
    ) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [sys.executable, *self.program, *words],
            cwd=self.folder,
            env=self.env,
            stderr=stderr,
            stdout=stdout,
            text=True,
        )


@pytest.fixture
def pgflow(tmp_path: Path, db: str) -> Command:
    """The command, in a folder with a module `flows`."""
    (tmp_path / "flows.py").write_text(FLOWS)
    return Command(tmp_path, db)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], None]:
    """Write a file into the folder of `pgflow`."""

    def write_file(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return write_file


class Worker:
    """A worker process whose log is in a file."""

    def __init__(self, pgflow: Command, words: tuple[str, ...], log: Path) -> None:
        self.log = log
        with log.open("w") as stderr:
            self.process = pgflow.start("worker", *words, stderr=stderr)

    def has_logged(self, text: str) -> bool:
        return text in self.log.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def code(self) -> int:
        return self.process.wait(PATIENCE.total_seconds())


@pytest.fixture
def worker(pgflow: Command, tmp_path: Path):
    (tmp_path / "handlers.py").write_text(HANDLERS)
    started: list[Worker] = []

    def start(*words: str, wait: bool = True) -> Worker:
        made = Worker(pgflow, words, tmp_path / f"worker-{len(started)}.log")
        started.append(made)
        if wait:
            until(lambda: made.has_logged(" serves "), PATIENCE)
        return made

    yield start
    for each in started:
        if each.process.poll() is None:
            # One that has children leaves them to drain, which may take as long as it was given.
            below = descendants_of(each.process.pid)
            each.process.kill()
            for pid in below:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        each.process.wait()


StartWorker = Callable[..., Worker]


def statuses(conn: Any) -> list[str]:
    rows = conn.execute("select status from pgflow.step_tasks order by run_id").fetchall()
    return [status for (status,) in rows]


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(word) for word in listed.stdout.split()]


def descendants_of(pid: int) -> list[int]:
    children = children_of(pid)
    return children + [below for child in children for below in descendants_of(child)]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
