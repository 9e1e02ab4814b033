"""Builds the packages, twice and in unlike surroundings, and compares what comes out."""

import hashlib
import os
from pathlib import Path

from tools.releases.commands import ReleaseError, run, uv
from tools.releases.tree import PACKAGES, Commit, copy_commit, set_version

# Whatever of this got into an artefact would make it another one elsewhere.
_UNLIKE = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}


def build(tree: Path, out: Path, *, epoch: int, is_elsewhere: bool = False) -> None:
    """Build the sources and the wheel of each package.

    Args:
        tree: The workspace.
        out: The folder for the artefacts.
        epoch: The time that all files in them carry, in seconds since 1970.
        is_elsewhere: Whether to build as another machine might: in another time zone, with other
            rights of files, and the wheels from the tree and not from the built sources.
    """
    env = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    # uv would take the environment of whoever calls for that of the copy, and warn.
    env.pop("VIRTUAL_ENV", None)
    both = ["--sdist", "--wheel"] if is_elsewhere else []
    for package in PACKAGES:
        run(
            [uv(), "build", "--quiet", "--package", package, *both, "--out-dir", out],
            folder=tree,
            env={**env, **(_UNLIKE if is_elsewhere else {})},
            umask=_umask(is_elsewhere),
        )
    # uv keeps git away from the folder; that is no artefact.
    (out / ".gitignore").unlink(missing_ok=True)


def build_reproducibly(root: Path, commit: Commit, version: str, workplace: Path) -> Path:
    """Build a commit in two copies, and make sure that both give the same files.

    Args:
        root: The tree, of which nothing is written.
        commit: The commit.
        version: The version to stamp on the copies.
        workplace: An empty folder for the copies and the artefacts.

    Returns:
        The folder with the artefacts.

    Raises:
        ReleaseError: A file differs between the two.
    """
    epoch = int(commit.at.timestamp())
    outs: list[Path] = []
    for name in ("first", "the-second-one"):
        tree, out = workplace / name / "tree", workplace / name / "dist"
        out.mkdir(parents=True)
        is_elsewhere = bool(outs)
        copy_commit(root, commit, tree, umask=_umask(is_elsewhere))
        set_version(tree, version)
        build(tree, out, epoch=epoch, is_elsewhere=is_elsewhere)
        outs.append(out)
    first, second = outs
    compare(first, second)
    return first


def compare(first: Path, second: Path) -> None:
    """Make sure that two folders hold the same files.

    Raises:
        ReleaseError: They do not.
    """
    one, other = digests(first), digests(second)
    differ = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    if differ:
        raise ReleaseError(
            f"two builds of one commit differ in {', '.join(differ)}; "
            f"compare {first} with {second}, for example with diffoscope"
        )


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file in a folder by its name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def _umask(is_elsewhere: bool) -> int:
    return 0o077 if is_elsewhere else 0o022
