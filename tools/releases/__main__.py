"""The command: `python -m tools.releases`, which `nox -s release` and `nox -s snapshot` call."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.releases.building import build_reproducibly, digests
from tools.releases.commands import ReleaseError, run
from tools.releases.metadata import check_metadata
from tools.releases.publishing import publish
from tools.releases.refusals import refusals
from tools.releases.tree import (
    PACKAGES,
    head_commit,
    read_version,
    set_version,
    snapshot_version,
)
from tools.releases.trying import ORDINARY_USER, python_for, try_alone, try_demo

ROOT = Path(__file__).parents[2]


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Do what the command line says, and return its exit code."""
    given = _parser().parse_args(words)
    try:
        if given.command == "set":
            set_version(root, given.version)
        elif given.command == "snapshot":
            _snapshot(root)
        else:
            return _release(root, is_published=given.publish)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.releases", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("snapshot", help="build the commit as a version of its own, and try it")
    release = commands.add_parser("release", help="build the tagged commit, and try it")
    release.add_argument("--publish", action="store_true", help="upload what was tried")
    named = commands.add_parser("set", help="write a version into all packages of this tree")
    named.add_argument("version")
    return parser


def _snapshot(root: Path) -> None:
    if run(["git", "status", "--porcelain"], folder=root):
        print("note: what is not committed is not in the snapshot")
    _make(root, snapshot_version(root, head_commit(root)))


def _release(root: Path, *, is_published: bool) -> int:
    found = refusals(root, is_published=is_published)
    if found:
        print("error: this tree cannot be released", file=sys.stderr)
        for refusal in found:
            print(f"  - {refusal}", file=sys.stderr)
        return 1
    version = read_version(root)
    artefacts = _make(root, version)
    if is_published:
        publish(artefacts, version)
    else:
        print("A dry run: nothing was published. `-- --publish` does it.")
    return 0


def _make(root: Path, version: str) -> Path:
    """Build a version, check and try it, and leave it in dist/."""
    commit = head_commit(root)
    print(f"{version} of commit {commit.name[:9]}, made {commit.at:%Y-%m-%d %H:%M} UTC", flush=True)
    with tempfile.TemporaryDirectory(prefix="pgflow-release-") as name:
        # Other users have to come through to the environment that they try.
        workplace = Path(name)
        workplace.chmod(0o755)
        with _timed("built twice, byte for byte the same"):
            built = build_reproducibly(root, commit, version, workplace)
        with _timed("metadata checked"):
            check_metadata(built, version)
        for package in PACKAGES:
            with _timed(f"{package} alone, in a new environment"):
                try_alone(package, built, version, _new(workplace / package))
        _try_demos(built, version, workplace)
        artefacts = root / "dist" / version
        shutil.rmtree(artefacts, ignore_errors=True)
        shutil.copytree(built, artefacts)
    for file, digest in digests(artefacts).items():
        print(f"{digest}  {file}")
    print(f"They are in {artefacts.relative_to(root)}.")
    return artefacts


def _try_demos(built: Path, version: str, workplace: Path) -> None:
    with _timed("the demo, in an empty folder"):
        try_demo(built, version, _new(workplace / "demo"))
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    if python_for(ORDINARY_USER) is None:
        print(f"not tried: the demo as {ORDINARY_USER}, who can run no Python interpreter here")
        return
    with _timed(f"the demo, in an empty folder as {ORDINARY_USER}"):
        try_demo(built, version, _new(workplace / "demo-of-a-user"), ORDINARY_USER)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _timed(what: str) -> Generator[None]:
    begin = time.monotonic()
    yield
    print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
