"""Where things are in the workspace, for the tests that look at its files."""

import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One distribution of the workspace."""

    folder: Path
    project: dict[str, Any]

    @property
    def name(self) -> str:
        return self.project["name"]

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.module

    def python_files(self) -> list[Path]:
        return sorted(self.source.rglob("*.py"))

    def __str__(self) -> str:
        return self.name


def read_project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


PACKAGES = [
    Package(folder=path.parent, project=read_project(path.parent))
    for path in sorted(ROOT.glob("pkgs/*/pyproject.toml"))
]
SQL = ROOT / "pkgs/core-sql/src/pgflow_core_sql/sql"


@cache
def tracked_files() -> list[Path]:
    """Files that git tracks, or would if they were added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = (ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name)
    return [file for file in files if file.is_file()]


def name_of(path: Path) -> str:
    """Name a file as a person in the workspace's root would."""
    return str(path.relative_to(ROOT))
