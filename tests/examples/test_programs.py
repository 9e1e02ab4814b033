"""The example programs, run by the command in their README, print what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.workspace import ROOT

BLOCK = re.compile(r"```console\n\$ (uv run [^\n]*?python (\S+\.py))\n(.*?)```", re.DOTALL)
# These serve until they are told to stop, and have tests of their own.
APPLICATIONS = {"django", "fastapi"}
PROGRAMS = sorted(
    folder for folder in (ROOT / "examples").iterdir() if (folder / "README.md").is_file()
)


@pytest.mark.parametrize(
    "folder",
    [each for each in PROGRAMS if each.name not in APPLICATIONS],
    ids=lambda each: each.name,
)
def test_the_command_in_the_readme_prints_what_the_readme_shows(folder: Path, db: str):
    if folder.name == "retrieval":
        pytest.importorskip("wordllama")
    [(command, program, shown)] = BLOCK.findall((folder / "README.md").read_text())
    assert shlex.split(command)[:2] == ["uv", "run"]
    assert program == f"examples/{folder.name}/{folder.name}.py"
    env = {**os.environ, "PGFLOW_DATABASE_URL": db}
    for name in ("OPENAI_BASE_URL", "PAGE_URL"):
        env.pop(name, None)

    done = subprocess.run(
        [sys.executable, program], cwd=ROOT, env=env, capture_output=True, text=True, timeout=90
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == shown


def test_every_folder_of_the_examples_is_a_program_with_a_readme_of_one_screen():
    for folder in (each for each in (ROOT / "examples").iterdir() if any(each.glob("**/*.py"))):
        assert folder in PROGRAMS, f"{folder.name} has no README.md"
        assert len((folder / "README.md").read_text().splitlines()) <= 50
