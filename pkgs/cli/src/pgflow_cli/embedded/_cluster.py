"""The data folder: making it whole or not at all, and knowing which PostgreSQL wrote it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pgflow_cli.embedded.binaries import all_binaries
from pgflow_cli.embedded.errors import (
    BinariesUnusable,
    FolderUnusable,
    InitFailed,
    StartTimeout,
    VersionMismatch,
)

if TYPE_CHECKING:
    from pgflow_cli.embedded._account import Account
    from pgflow_cli.embedded._folders import Folders
    from pgflow_cli.embedded._lock import Deadline
    from pgflow_cli.embedded.binaries import Binaries

SUPERUSER = "postgres"
PASSWORD_FILE = "pgflow.password"

# Written once, into the new postgresql.conf, so that the user can edit them or ALTER SYSTEM.
# Durable like production; sized for a laptop or a small container that runs other things too.
DEFAULTS = """
# What pgflow sets for a development server; edit as you like.
shared_buffers = 64MB
max_connections = 100
max_wal_size = 512MB
timezone = 'UTC'
log_line_prefix = '%m [%p] '
# Parallel queries need /dev/shm, of which containers have little.
max_parallel_workers_per_gather = 0
"""


# How long an ended initdb's own child may go on writing, in seconds.
_LAST_WRITES = 5.0


def init_cluster(
    folders: Folders,
    *,
    binaries: Binaries,
    account: Account,
    durable: bool,
    deadline: Deadline,
    lock: int,
) -> None:
    """Make the data folder. It appears whole, or not at all.

    Connections through the Unix socket are trusted: only the account can enter its folder. TCP
    wants a random password, which is kept inside the data.

    Args:
        folders: The server's places; the home is there.
        binaries: What to make it with; the account can reach them.
        account: Who is to own it.
        durable: Whether to wait until it is on the disk.
        deadline: Until when it may take.
        lock: The descriptor of the server's lock.

    Raises:
        InitFailed: `initdb` failed.
        StartTimeout: It took too long.
    """
    folders.clean()
    # A name of its own, so that what a killed start leaves is never taken for a data folder.
    unfinished = Path(tempfile.mkdtemp(prefix="init-", dir=folders.home))
    try:
        account.give(unfinished)
        password = _write(unfinished / "password", secrets.token_urlsafe(24), account)
        data = unfinished / "data"
        command: list[str | Path] = [
            binaries.path / "initdb",
            *("--pgdata", data, "--pwfile", password, f"--username={SUPERUSER}"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"),
            *_locale(binaries.major),
            "--no-instructions",
        ]
        if not durable:
            command.append("--no-sync")
        try:
            # It keeps the lock, so that when this process is killed, the next one does not clean
            # up what initdb is still writing.
            made = account.run(command, timeout=deadline.left, keep=lock)
        except subprocess.TimeoutExpired as exc:
            said = (exc.stdout or b"").decode(errors="replace")
            raise StartTimeout(folders.root, deadline.timeout, said) from exc
        if made.returncode != 0:
            raise InitFailed(folders.data, made.stdout.strip())
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(DEFAULTS)
        password.rename(data / PASSWORD_FILE)
        data.rename(folders.data)
        if durable:
            _sync_folder(folders.home)
    finally:
        _remove(unfinished)


def _remove(folder: Path) -> None:
    """Delete a folder, also while what an ended initdb had started writes its last files there."""
    end = time.monotonic() + _LAST_WRITES
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)


def is_initialized(folders: Folders) -> bool:
    """Tell whether there is a data folder.

    Raises:
        FolderUnusable: There is one, but it is not PostgreSQL's.
    """
    data = folders.data
    try:
        if (data / "PG_VERSION").is_file():
            return True
        if not data.is_dir() or not any(data.iterdir()):
            return False
    except OSError as exc:
        raise FolderUnusable(data, f"it cannot be read ({exc.strerror})") from exc
    raise FolderUnusable(data, "it is not a data folder of PostgreSQL; move it away")


def check_version(data: Path, binaries: Binaries) -> None:
    """Refuse binaries of another major version than the data's.

    Raises:
        VersionMismatch: They do not fit, with what to do.
    """
    written_by = (data / "PG_VERSION").read_text().strip()
    if written_by == str(binaries.major):
        return
    matching = None
    with suppress(BinariesUnusable):
        matching = next(
            (each.path for each in all_binaries() if str(each.major) == written_by), None
        )
    raise VersionMismatch(
        data=data,
        data_major=written_by,
        binaries=binaries.path,
        binaries_major=binaries.major,
        matching=matching,
    )


def read_password(data: Path) -> str:
    """Read the password that TCP connections of the superuser need."""
    try:
        return (data / PASSWORD_FILE).read_text().strip()
    except OSError as exc:
        raise FolderUnusable(
            data / PASSWORD_FILE, f"the password for TCP cannot be read ({exc.strerror})"
        ) from exc


def _locale(major: int) -> list[str]:
    if major >= 17:
        # Sorts and folds alike on every operating system.
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C" if sys.platform == "darwin" else "--locale=C.UTF-8"]


def _write(path: Path, text: str, account: Account) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    account.give(path)
    return path


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
