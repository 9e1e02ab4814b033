"""Runs other programs, and tells what they said when they fail."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What belongs to the environment that this runs in is none of a new one's business.
_OURS_ALONE = {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH"}


class ReleaseError(Exception):
    """A release or a snapshot cannot be made; the text says why, and what to do about it."""


def run(
    words: Sequence[str | Path],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    umask: int = -1,
) -> str:
    """Run a program and give what it printed.

    Args:
        words: The program and its arguments.
        folder: Where it runs.
        env: Its whole environment; None is this process's, without what names its own packages.
        user: The user that it runs as; None is this process's.
        umask: Rights that are taken from the files that it makes; -1 is as here.

    Raises:
        ReleaseError: It failed.
    """
    if env is None:
        env = {name: value for name, value in os.environ.items() if name not in _OURS_ALONE}
    done = subprocess.run(
        words,
        cwd=folder,
        env=env,
        user=user,
        group=_group_of(user),
        extra_groups=None if user is None else [],
        umask=umask,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        command = " ".join(map(str, words))
        said = f"{done.stdout}{done.stderr}".strip()
        raise ReleaseError(f"`{command}` failed ({done.returncode}) in {folder}:\n{said}")
    return done.stdout


def uv() -> str:
    """Find uv, which `uv run` and nox put on PATH.

    Raises:
        ReleaseError: It is not there.
    """
    program = shutil.which("uv")
    if program is None:
        raise ReleaseError("uv is not on PATH; start this with `uv run nox`")
    return program


def _group_of(user: str | None) -> int | None:
    if user is None or sys.platform == "win32":
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid
