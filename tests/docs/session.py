"""A page being read from top to bottom by somebody who does all that it says."""

import ast
import asyncio
import importlib
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from configparser import ConfigParser
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import psycopg
import yaml
from pgflow_cli.embedded import find_binaries
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.docs.blocks import Block, commands
from tests.support import until

# What differs from run to run.
VOLATILE = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00(:00)?|Z)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b"), "<span>"),
    (re.compile(r"^[\w.-]+:\d+(?= )", re.MULTILINE), "<worker>"),
    (re.compile(r"schema version \d+( in .*)?"), "schema version <n>"),
    (re.compile(r" +"), " "),
]
# Servers as pages spell them; the test's own stands in for all, with a database for each host.
SERVERS = re.compile(r"postgresql://(?:(\w+)@)?(?:localhost|(\w+)\.internal)/(\w+)")
# What is there without a network. Commands of other programs have to say why they are not run.
PROGRAMS = {"pgflow", "psql", "python", "pytest", "alembic"}
# Run until they are told to stop.
SERVING = (["pgflow", "worker"], ["pgflow", "dev"])
EXPORT = re.compile(r"export (\w+)=\$\((.+)\)$")

# How to tell that a file is one of its kind. `text` is what people read.
READ: dict[str, Callable[[str], object]] = {
    "python": lambda text: compile(text, "page", "exec"),
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "toml": tomllib.loads,
    "json": json.loads,
    "ini": lambda text: ConfigParser(interpolation=None, strict=False).read_string(text),
    "dockerfile": lambda text: text.index("FROM "),
    "text": str,
}


def masked(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, name in VOLATILE:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Reader:
    """Does what a page says, in a folder and on a database of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        server = conninfo_to_dict(database_url)
        self.env = {
            **os.environ,
            "PGFLOW_DATABASE_URL": database_url,
            "PGHOST": str(server["host"]),
            "PGPORT": str(server["port"]),
            "PGUSER": str(server["user"]),
            "PGDATABASE": str(server["dbname"]),
            # psql is beside the server that the tests have.
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(find_binaries().path), os.environ["PATH"]]
            ),
            "PGFLOW_TEST_DATABASE_URL": database_url,
            "COLUMNS": "100",
        }
        self.database_url = database_url
        self.module = ModuleType("page")
        vars(self.module)["DATABASE_URL"] = database_url
        self.loop = asyncio.new_event_loop()
        self.aside: dict[str, ModuleType | None] = {}
        self.databases: list[str] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        # What commands print in truth, where a page shows something else: command, shown, printed.
        self.stale: list[tuple[str, str, str]] = []

    def __enter__(self) -> "Reader":
        for file in self.folder.glob("*.py"):
            self.put_aside(file.stem)
        self.before = set(sys.modules)
        sys.modules["page"] = self.module
        sys.path.insert(0, str(self.folder))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.terminate()
            worker.wait(30)
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            for name in self.databases:
                conn.execute(f"drop database {name} with (force)".encode())
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
                self.type(command, shown, block.codes)
        elif block.language == "sql":
            url, who = self.database_url, re.match(r"as (\w+)$", block.title or "")
            if who:
                url = make_conninfo(url, user=who[1])
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(block.text.encode())
        elif block.title is not None:
            self.write(block.title, block)
        elif block.language == "python":
            if not block.includes:
                self.run(block)
        else:
            READ[block.language](block.text)

    def write(self, title: str, block: Block) -> None:
        """Write the file that a block shows, if it is one of its kind."""
        READ[block.language](block.text)
        path = self.folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if block.language == "python":
            self.put_aside(Path(Path(title).parts[0]).stem)
        importlib.invalidate_caches()

    def put_aside(self, name: str) -> None:
        """Take a module out of the way for the time, as another test may have one of the name."""
        if name not in self.aside:
            self.aside[name] = sys.modules.pop(name, None)

    def run(self, block: Block) -> None:
        """Run a block of Python after those before it, or as a program if it is one."""
        if "asyncio.run(" in block.text:
            program = self.folder / f"program_{block.line}.py"
            program.write_text(block.text)
            done = self.start([sys.executable, program.name])
            assert done.returncode == 0, done.stderr
            return
        code = compile(
            SERVERS.sub(self.reach, block.text),
            f"{block.page.name}:{block.line}",
            "exec",
            ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            result: Any = eval(code, vars(self.module))
            if inspect.iscoroutine(result):
                self.loop.run_until_complete(result)
        finally:
            os.chdir(before)

    def type(self, command: str, shown: str, codes: tuple[int, ...] = (0,)) -> None:
        """Type a command, and compare what it prints with what is shown."""
        if exported := EXPORT.match(command):
            self.env[exported[1]] = self.print_of(exported[2], (0,)).strip()
            return
        typed = command.removeprefix("uv run ")
        if "RUN_ID" in typed:
            typed = typed.replace("RUN_ID", self.newest_run())
        typed = SERVERS.sub(self.reach, typed)
        words = shlex.split(typed, comments=True)
        assert words[0] in PROGRAMS, f"say why it is not run: {command}"
        if words[:2] in SERVING:
            self.serve(words)
            return
        printed = self.print_of(typed, codes)
        if shown.strip() and masked(printed) != masked(shown):
            self.stale.append((command, shown, printed))

    def print_of(self, command: str, codes: tuple[int, ...]) -> str:
        """Run a command to its end, and return what it prints."""
        done = self.start(command, shell=True)
        assert done.returncode in codes, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def newest_run(self) -> str:
        """Return what `RUN_ID` stands for."""
        with psycopg.connect(self.database_url) as conn:
            found = conn.execute("select max(run_id::text) from pgflow.runs").fetchone()
        assert found is not None
        return str(found[0])

    def reach(self, spelt: "re.Match[str]") -> str:
        """Return the URL of a database on the test's server."""
        user, name = spelt[1] or self.env["PGUSER"], spelt[3]
        if spelt[2]:
            name = f"{spelt[2]}_{name}"
            self.make_database(name)
        return urlsplit(self.database_url)._replace(netloc=f"{user}@", path=f"/{name}").geturl()

    def make_database(self, name: str) -> None:
        """Make a database for another host, if it is not there."""
        if name not in self.databases:
            with psycopg.connect(self.database_url, autocommit=True) as conn:
                conn.execute(f"create database {name}".encode())
            self.databases.append(name)

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
            worker = subprocess.Popen(
                words, cwd=self.folder, env=self.env, stdout=file, stderr=file
            )
        self.workers.append(worker)
        until(lambda: " serves " in log.read_text(), timedelta(seconds=60))
