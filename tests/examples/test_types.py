"""The example programs pass both type checkers, strict: people copy them."""

import os
import subprocess
import sys

import pytest

from tests.house.workspace import ROOT

PROGRAMS = [f"examples/{path.parent.name}/{path.name}" for path in ROOT.glob("examples/*/*.py")]
# The applications import frameworks, whose plugins are not for everybody.
CHECKED = sorted(name for name in PROGRAMS if "/django/" not in name and "/fastapi/" not in name)


@pytest.mark.types
@pytest.mark.slow
@pytest.mark.parametrize(
    "checker", [["mypy"], ["pyright", "--pythonpath", sys.executable]], ids=["mypy", "pyright"]
)
def test_every_program_passes(checker: list[str]):
    # So that a program finds the module beside it.
    folders = sorted({str(ROOT / name.rpartition("/")[0]) for name in CHECKED})
    done = subprocess.run(
        [sys.executable, "-m", *checker, *CHECKED],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
