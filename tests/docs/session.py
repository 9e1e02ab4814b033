"""A page being read from top to bottom by somebody who does all that it says."""

import ast
import asyncio
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg

from tests.docs.blocks import Block, commands
from tests.support import until

# What differs from run to run.
VOLATILE = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00(:00)?|Z)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b"), "<span>"),
    (re.compile(r"^[\w.-]+:\d+(?= )", re.MULTILINE), "<worker>"),
    (re.compile(r"schema version \d+"), "schema version <n>"),
    (re.compile(r" +"), " "),
]
# Runs until it is told to stop.
SERVING = {"worker"}
# Needs more than a folder and a database: a terminal, a browser, a server, an editor.
WATCHED = {"dev", "ui", "demo", "db", "bench", "doctor", "completion"}


def masked(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Reader:
    """Does what a page says, in a folder and on a database of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "PGFLOW_DATABASE_URL": database_url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
        }
        self.database_url = database_url
        self.module = ModuleType("page")
        vars(self.module)["DATABASE_URL"] = database_url
        self.loop = asyncio.new_event_loop()
        self.aside: dict[str, ModuleType | None] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        # What commands print in truth, where a page shows something else: command, shown, printed.
        self.stale: list[tuple[str, str, str]] = []

    def __enter__(self) -> "Reader":
        self.before = set(sys.modules)
        sys.modules["page"] = self.module
        sys.path.insert(0, str(self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.terminate()
            worker.wait(30)
        self.loop.close()
        sys.path.remove(str(self.folder))
        for name in set(sys.modules) - self.before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if name == "page" or file.startswith(str(self.folder)):
                del sys.modules[name]
        for name, module in self.aside.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module

    def do(self, block: Block) -> None:
        """Do what a block says."""
        if block.language == "console":
            for command, shown in commands(block.text):
                self.type(command, shown)
        elif block.language == "sql":
            with psycopg.connect(self.database_url, autocommit=True) as conn:
                conn.execute(block.text.encode())
        elif block.title is not None:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            compile(block.text, block.title, "exec")
            # Another test may have a module of that name.
            name = Path(Path(block.title).parts[0]).stem
            if name not in self.aside:
                self.aside[name] = sys.modules.pop(name, None)
            importlib.invalidate_caches()
        elif not block.includes:
            self.run(block)

    def run(self, block: Block) -> None:
        """Run a block of Python after those before it, or as a program if it is one."""
        if "asyncio.run(" in block.text:
            program = self.folder / f"program_{block.line}.py"
            program.write_text(block.text)
            done = self.start([sys.executable, program.name])
            assert done.returncode == 0, done.stderr
            return
        code = compile(
            block.text, f"{block.page.name}:{block.line}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            result: Any = eval(code, vars(self.module))
            if inspect.iscoroutine(result):
                self.loop.run_until_complete(result)
        finally:
            os.chdir(before)

    def type(self, command: str, shown: str) -> None:
        """Type a command of pgflow's, and compare what it prints with what is shown."""
        words = shlex.split(command, comments=True)
        if words[0] != "pgflow" or words[1] in WATCHED:
            return
        if words[1] in SERVING:
            self.serve(words)
            return
        done = self.start(command, shell=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if shown.strip() and masked(done.stdout) != masked(shown):
            self.stale.append((command, shown, done.stdout))

    def start(self, command: Any, shell: bool = False) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            command,
            shell=shell,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def serve(self, words: list[str]) -> None:
        """Start a worker, and go on when it serves."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("w") as file:
            worker = subprocess.Popen(words, cwd=self.folder, env=self.env, stderr=file)
        self.workers.append(worker)
        until(lambda: " serves " in log.read_text(), timedelta(seconds=60))
