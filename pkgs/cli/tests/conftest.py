"""Running the command as a user would: in a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

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
        self.env = {
            name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")
        }
        self.env |= {"PGFLOW_DATABASE_URL": url, "NO_COLOR": "1"}

    def __call__(self, *words: str, stdin: str = "") -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "pgflow_cli", *words],
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
            [sys.executable, "-m", "pgflow_cli", *words],
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
