"""Tries artefacts in new environments, as who installs them would."""

import os
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.releases.commands import ReleaseError, run, uv
from tools.releases.tree import PACKAGES

ORDINARY_USER: Final = "nobody"

_DEFINE_AND_COMPILE = """
from pgflow_dsl import Flow, compile_flow

greet = Flow("greet", input=str)

@greet.step
def hello(name: str = greet.input) -> str:
    return f"hello {name}"

assert hello("you") == "hello you"
print(compile_flow(greet))
"""

# What proves that a package works alone: a command, and a word that it prints.
_JOBS: Final = {
    "pgflow-core-sql": (
        ("python", "-c", "import pgflow_core_sql as core; print(core.install_script())"),
        "create table pgflow.step_tasks",
    ),
    "pgflow-dsl": (("python", "-c", _DEFINE_AND_COMPILE), "pgflow.add_step"),
    "pgflow-client": (
        ("python", "-c", "from pgflow_client import AsyncClient, Client; print(Client.__name__)"),
        "Client",
    ),
    "pgflow-worker": (
        ("python", "-c", "from pgflow_worker import Worker; print(Worker.__name__)"),
        "Worker",
    ),
    "pgflow-cli": (("pgflow", "--help"), "Usage: "),
}


def try_alone(package: str, artefacts: Path, version: str, place: Path) -> None:
    """Install one package into a new environment, and have it do its job there.

    Args:
        package: The package.
        artefacts: The folder with all five; what else is needed comes from the index.
        version: Their version.
        place: An empty folder.

    Raises:
        ReleaseError: It cannot be installed, or does not work.
    """
    venv = _install(package, artefacts, version, place, sys.executable)
    command, word = _JOBS[package]
    said = _run(venv, place, *command)
    module = package.replace("-", "_")
    where = _run(venv, place, "python", "-c", f"import {module} as it; print(it.__file__)")
    if word not in said or not where.startswith(str(venv)):
        raise ReleaseError(f"{package} alone does not work: it printed {said!r}, from {where}")


def try_demo(artefacts: Path, version: str, place: Path, user: str | None = None) -> str:
    """Run the demo from the artefacts, in an empty folder.

    Args:
        artefacts: The folder with all five packages.
        version: Their version.
        place: An empty folder, which the user can enter.
        user: The user that the demo runs as; None is this process's.

    Returns:
        What it printed.

    Raises:
        ReleaseError: It failed.
    """
    python = sys.executable if user is None else python_for(user)
    if python is None:
        raise ReleaseError(f"the user {user} can run none of the Python interpreters here")
    venv = _install("pgflow-cli[embedded]", artefacts, version, place, python)
    with _server_stopped_after(venv, place, user):
        said = _run(venv, place, "pgflow", "demo", user=user)
        report = re.search(r"^Report: +(.+)$", said, re.MULTILINE)
        if report is None or not (place / "empty" / report[1]).is_file():
            raise ReleaseError(f"the demo ended without a report:\n{said}")
    return said


def python_for(user: str) -> str | None:
    """Find an interpreter that another user can run; one in somebody's home often is not."""
    enough = "import sys; sys.exit(sys.version_info < (3, 11))"
    for candidate in (sys.executable, *map(shutil.which, ("python3", "/usr/bin/python3"))):
        if candidate is None:
            continue
        python = os.path.realpath(candidate)
        try:
            run([python, "-I", "-c", enough], folder=Path("/"), env={}, user=user)
        except (ReleaseError, OSError):
            continue
        return python
    return None


def _install(package: str, artefacts: Path, version: str, place: Path, python: str) -> Path:
    venv = place / "venv"
    run([uv(), "venv", "--quiet", "--python", python, venv], folder=place)
    # A version before a release is taken for the other packages only where somebody names it.
    pins = place / "pins.txt"
    pins.write_text("".join(f"{each}=={version}\n" for each in PACKAGES))
    run(
        [
            *(uv(), "pip", "install", "--quiet", "--python", venv / "bin/python"),
            *("--find-links", artefacts, "--constraints", pins, f"{package}=={version}"),
        ],
        folder=place,
    )
    return venv


def _run(venv: Path, place: Path, *words: str, user: str | None = None) -> str:
    """Run a program of an environment in a folder that was empty, and give what it printed."""
    empty = place / "empty"
    empty.mkdir(exist_ok=True)
    if user is not None:
        shutil.chown(empty, user)
    env = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}", "HOME": str(empty), "LC_ALL": "C.UTF-8"}
    return run([venv / "bin" / words[0], *words[1:]], folder=empty, env=env, user=user)


@contextmanager
def _server_stopped_after(venv: Path, place: Path, user: str | None) -> Generator[None]:
    try:
        yield
    finally:
        _run(venv, place, "pgflow", "db", "reset", "--yes", user=user)
