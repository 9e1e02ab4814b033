"""Each package, built and installed by itself, does its job without the workspace around it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.workspace import PACKAGES, ROOT, Package

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEFINE_AND_COMPILE = """
from pgflow_dsl import Flow, compile_flow

greet = Flow("greet", input=str)

@greet.step
def hello(name: str = greet.input) -> str:
    return f"hello {name}"

assert hello("you") == "hello you"
print(compile_flow(greet))
"""

# What proves that a package works alone: a command, and a word that it prints.
JOBS = {
    "pgflow-core-sql": (
        ("python", "-c", "import pgflow_core_sql as core; print(core.install_script())"),
        "create table pgflow.step_tasks",
    ),
    "pgflow-dsl": (("python", "-c", DEFINE_AND_COMPILE), "pgflow.add_step"),
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


def uv(*words: str | Path) -> None:
    program = shutil.which("uv")
    assert program, "uv is not on PATH; `uv run` puts it there"
    # What belongs to the workspace's own environment is none of the new one's business.
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH"}
    }
    done = subprocess.run([program, *words], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    uv("build", "--quiet", "--all-packages", "--out-dir", folder)
    return folder


def run(folder: Path, *words: str) -> str:
    """Run a program of a new environment, in an empty folder, and give what it printed."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(empty)}
    program = folder / "bin" / words[0]
    done = subprocess.run([program, *words[1:]], cwd=empty, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_wheel_alone_in_a_new_environment_does_its_job(
    package: Package, wheels: Path, tmp_path: Path
):
    place = tmp_path / "venv"
    uv("venv", "--quiet", "--python", sys.executable, place)
    version = package.project["version"]
    uv(
        *("pip", "install", "--quiet", "--python", place / "bin/python"),
        *("--find-links", wheels, f"{package.name}=={version}"),
    )

    command, word = JOBS[package.name]
    assert word in run(place, *command)
    where = run(place, "python", "-c", f"import {package.module} as it; print(it.__file__)")
    assert where.startswith(str(place))


def test_each_package_is_built_as_a_wheel_and_as_sources(wheels: Path):
    for package in PACKAGES:
        stem = f"{package.module}-{package.project['version']}"
        assert {path.name for path in wheels.glob(f"{stem}*")} == {
            f"{stem}-py3-none-any.whl",
            f"{stem}.tar.gz",
        }
