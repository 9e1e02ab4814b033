"""The tree that packages are built from: a commit, its version, and copies of it."""

import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools.releases.commands import run

# In the order in which they are published: each after those that it needs.
PACKAGES: Final = (
    "pgflow-core-sql",
    "pgflow-dsl",
    "pgflow-client",
    "pgflow-worker",
    "pgflow-cli",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit to build from.

    Attributes:
        name: Its whole hash.
        at: When it was made; all files of a build carry that time, so it is always the same.
    """

    name: str
    at: datetime


def head_commit(root: Path) -> Commit:
    """Give the commit that is checked out in a folder."""
    name, at = run(["git", "show", "-s", "--format=%H %ct", "HEAD"], folder=root).split()
    return Commit(name=name, at=datetime.fromtimestamp(int(at), UTC))


def copy_commit(root: Path, commit: Commit, folder: Path, *, umask: int) -> None:
    """Copy a commit into a new folder: what was not committed is not in it."""
    clone = ["git", "clone", "--quiet", "--shared", "--no-checkout"]
    run([*clone, root, folder], folder=root, umask=umask)
    run(["git", "checkout", "--quiet", "--detach", commit.name], folder=folder, umask=umask)


def version_files(root: Path) -> list[Path]:
    """List the files that the version stands in."""
    return [root / "pyproject.toml", *sorted(root.glob("pkgs/*/pyproject.toml"))]


def read_version(root: Path) -> str:
    """Read the version of the tree; a test holds all of its packages to one."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def released_versions(root: Path) -> list[str]:
    """List the versions that the changelog tells of, newest first."""
    return re.findall(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)


def set_version(root: Path, version: str) -> None:
    """Write a version into all packages of a tree, and into what they say of each other."""
    old = re.escape(read_version(root))
    for path in version_files(root):
        text = path.read_text()
        text = re.sub(rf'^version = "{old}"$', f'version = "{version}"', text, flags=re.MULTILINE)
        text = re.sub(rf'"(pgflow-[a-z-]+)=={old}"', rf'"\1=={version}"', text)
        path.write_text(text)


def snapshot_version(root: Path, commit: Commit) -> str:
    """Name the version of a snapshot after the next release, and the commit's time and hash.

    It sorts after the last release and before the next one. With the hash it is a local version,
    which the public index refuses: snapshots are for files and for indexes of one's own.
    """
    version = read_version(root)
    if version in released_versions(root):
        major, minor, patch = version.split(".")
        version = f"{major}.{minor}.{int(patch) + 1}"
    # As many digits as git shows depends on how many commits it has; this does not.
    return f"{version}.dev{commit.at:%Y%m%d%H%M}+g{commit.name[:9]}"
