"""Type checkers: both accept what is right, and both report every mistake, and nothing else."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.types

SAMPLES = Path(__file__).parent / "samples"
MARK = "# error"

Reports = dict[str, dict[int, str]]


def marked_lines() -> dict[str, set[int]]:
    """Return the lines of each sample that must be reported."""
    return {
        path.name: {
            number
            for number, line in enumerate(path.read_text().splitlines(), start=1)
            if line.rstrip().endswith(MARK)
        }
        for path in sorted(SAMPLES.glob("*.py"))
    }


def differences(reported: Reports) -> list[str]:
    """Return what a checker reported too much or too little, as sentences."""
    return [
        f"{name}:{number}: " + (reports.get(number) or "is wrong, but was not reported")
        for name, marked in marked_lines().items()
        for reports in [reported.get(name, {})]
        for number in sorted(marked ^ reports.keys())
    ]


def run(folder: Path, *command: str) -> str:
    """Run a checker on a copy of the samples, out of reach of the project's configuration."""
    shutil.copytree(SAMPLES, folder, dirs_exist_ok=True)
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_there_are_samples_of_both_kinds() -> None:
    marked = marked_lines()
    assert marked["right_use.py"] == set()
    assert len(marked["wrong_use.py"]) > 10


def test_mypy_reports_every_mistake_and_nothing_else(tmp_path: Path) -> None:
    output = run(tmp_path, "mypy", "--cache-dir=cache", ".")
    reported: Reports = {}
    for line in output.splitlines():
        match = re.match(r"(\w+\.py):(\d+): error: (.*)", line)
        if match:
            reported.setdefault(match[1], {})[int(match[2])] = match[3]
    assert "\n".join(differences(reported)) == ""


def test_pyright_reports_every_mistake_and_nothing_else(tmp_path: Path) -> None:
    output = run(tmp_path, "pyright", f"--pythonpath={sys.executable}", "--outputjson")
    reported: Reports = {}
    for each in json.loads(output)["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        reported.setdefault(Path(each["file"]).name, {})[line] = each["message"]
    assert "\n".join(differences(reported)) == ""
