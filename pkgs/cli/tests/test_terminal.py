"""How the command behaves on a terminal, in a pipe, and under a shell's completion."""

import os
import pty
import re
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from pgflow_cli.app import COMMANDS, main

from tests.support import until

from .conftest import Command

PATIENCE = timedelta(seconds=30)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command whose output goes to a terminal."""

    def __init__(self, pgflow: Command, *words: str, **variables: str) -> None:
        self.seen = b""
        self._controller, terminal = pty.openpty()
        env = {name: value for name, value in pgflow.env.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pgflow_cli", *words],
            cwd=pgflow.folder,
            env=env | {"TERM": "xterm", "COLUMNS": "100"} | variables,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        os.set_blocking(self._controller, False)

    def text(self) -> str:
        """Everything that was written so far."""
        try:
            while chunk := os.read(self._controller, 65536):
                self.seen += chunk
        # Nothing more now, or the command has ended.
        except (BlockingIOError, OSError):
            pass
        return self.seen.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._controller)


@pytest.fixture
def terminal(pgflow: Command):
    opened: list[Terminal] = []

    def open_terminal(*words: str, **variables: str) -> Terminal:
        opened.append(Terminal(pgflow, *words, **variables))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_a_watched_run_is_drawn_live_with_the_progress_of_its_map(pgflow, terminal, conn):
    conn.execute(pgflow("compile", "flows:fan").out)
    watched = terminal("start", "fan", "[1, 2, 3]", "--watch")
    until(lambda: "0/3" in watched.text(), PATIENCE)
    assert "\x1b[" in watched.text()
    worker = pgflow.start("worker", "flows", stderr=subprocess.DEVNULL)
    try:
        assert watched.process.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
    plain = ESCAPE.sub("", watched.text())
    assert "3/3" in plain
    assert "run completed" in plain
    assert '"double": [' in plain


def test_interrupting_the_watching_leaves_the_run_alone(pgflow, terminal, conn):
    conn.execute(pgflow("compile", "flows:add").out)
    watched = terminal("start", "add", "1", "--watch", NO_COLOR="1")
    until(lambda: "plus_one started" in watched.text(), PATIENCE)
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(30) == 130
    assert "The run goes on" in watched.text()
    assert "\x1b[" not in watched.text()
    assert conn.execute("select status from pgflow.runs").fetchone() == ("started",)


def test_a_cancelled_run_ends_the_watching_with_4(pgflow, conn):
    conn.execute(pgflow("compile", "flows:add").out)
    watching = pgflow.start("start", "add", "1", "--watch", "--json", stdout=subprocess.PIPE)
    until(lambda: conn.execute("select count(*) from pgflow.runs").fetchone() == (1,), PATIENCE)
    conn.execute("select pgflow.cancel_run(run_id) from pgflow.runs")
    out, _ = watching.communicate(timeout=30)
    assert watching.returncode == 4
    assert '"RunEnded"' in out.splitlines()[-1]


@pytest.mark.parametrize("words", [("install", "--sql"), ("--help",), ("compile", "flows")])
def test_a_reader_that_goes_away_is_no_error(pgflow: Command, words):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "pgflow_cli", *words],
        cwd=pgflow.folder,
        env=pgflow.env,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("words", [("compile", "flows"), ("--help",), ("install", "--sql")])
def test_a_result_that_goes_nowhere_is_no_success(pgflow: Command, words):
    def close_output() -> None:
        os.close(1)

    done = subprocess.run(
        [sys.executable, "-m", "pgflow_cli", *words],
        cwd=pgflow.folder,
        env=pgflow.env,
        preexec_fn=close_output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr == ("Error: standard output is closed, so there is nowhere to print to\n")


def test_tracebacks_are_shown_to_those_who_ask(pgflow: Command):
    words = [sys.executable, "-m", "pgflow_cli", "--debug", "compile", "nowhere"]
    done = subprocess.run(words, cwd=pgflow.folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_the_list_of_commands_says_what_each_of_them_does(pgflow: Command):
    listed = pgflow("--help").out
    for name, help_text in COMMANDS.items():
        command = main.command.get_command(None, name)
        assert command is not None
        assert help_text in listed
        assert command.help, name


def test_shells_complete_commands_and_options(pgflow: Command):
    def complete(words: str) -> str:
        count = str(len(words.split()) - 1)
        pgflow.env |= {"_PGFLOW_COMPLETE": "bash_complete"}
        pgflow.env |= {"COMP_WORDS": words, "COMP_CWORD": count}
        return pgflow().out

    assert complete("pgflow sta").split() == ["plain,start", "plain,status"]
    assert "plain,--watch" in complete("pgflow start --w")


def test_a_mistyped_command_is_told_with_the_one_that_was_meant(pgflow: Command):
    done = pgflow("isntall")
    assert done.code == 2
    assert "Did you mean 'install'?" in done.err
