"""The operating-system account that owns and runs the server: PostgreSQL refuses to be root."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pgflow_cli.embedded.errors import AccountMissing, BinariesUnusable, FolderUnusable

if TYPE_CHECKING:
    from collections.abc import Sequence

UNPRIVILEGED = ("postgres", "nobody")

# The server outlives the command that starts it, and can be shared: it gets nothing of the
# caller's environment but what finding programs and time zones needs. PG* variables would change
# its behaviour; other variables may hold secrets.
INHERITED = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "TZ",
    "TZDIR",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account, and how to run programs as it.

    Attributes:
        uid: The user id.
        gid: The group id.
        name: The user's name, or the number where it has none.
        is_other: Whether this process must give up root to become it.
    """

    uid: int
    gid: int
    name: str
    is_other: bool

    def run(
        self, command: Sequence[str | Path], timeout: float, *, keep: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, away from the terminal and its Ctrl-C.

        Args:
            command: The program and its arguments.
            timeout: Seconds after which it is killed.
            keep: A file descriptor that it shall inherit.

        Returns:
            The exit code, and what it said on both outputs.

        Raises:
            AccountMissing: The account cannot be used.
            BinariesUnusable: The account cannot run the program.
            subprocess.TimeoutExpired: It took longer.
        """
        try:
            return subprocess.run(
                command,
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
                pass_fds=() if keep is None else (keep,),
                start_new_session=True,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )
        except OSError as exc:
            raise self._refused(command[0], exc) from exc

    def spawn(
        self, command: Sequence[str | Path], *, log: IO[bytes], extra: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a program that lives on by itself, away from the terminal and its Ctrl-C.

        Args:
            command: The program and its arguments.
            log: Where both of its outputs go.
            extra: Variables to add to its environment.

        Raises:
            AccountMissing: The account cannot be used.
            BinariesUnusable: The account cannot run the program.
        """
        try:
            return subprocess.Popen(
                command,
                cwd="/",
                env=_environment() | extra,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                user=self.uid if self.is_other else None,
                group=self.gid if self.is_other else None,
                extra_groups=[] if self.is_other else None,
            )
        except OSError as exc:
            raise self._refused(command[0], exc) from exc

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the account can pass through a folder: asked of the system, ACLs and all."""
        if not self.is_other:
            return os.access(folder, os.X_OK)
        return self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", folder], timeout=20).returncode == 0

    def make_folder(self, path: Path) -> None:
        """Make a private folder of the account, or check that the one which is there is one.

        Args:
            path: The folder; its parent is there.

        Raises:
            FolderUnusable: It cannot be made, or it is a link, no folder, or another user's.
        """
        try:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                self.give(path)
            status = path.lstat()
        except OSError as exc:
            raise FolderUnusable(path, f"it cannot be made ({exc.strerror})") from exc
        if not path.is_dir() or path.is_symlink() or status.st_uid != self.uid:
            raise FolderUnusable(path, f"it is not a folder of the user {self.name}")
        if status.st_mode & 0o077:
            path.chmod(0o700)

    def give(self, path: Path) -> None:
        """Make the account the owner of a file or folder that this process made."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def _refused(self, program: str | Path, exc: OSError) -> AccountMissing | BinariesUnusable:
        # The file name tells what failed: running the program, or becoming the user before.
        if exc.filename is not None and Path(str(exc.filename)) == Path(program):
            return BinariesUnusable(Path(program).parent, f"{self.name} cannot run {exc}")
        return AccountMissing(f"this process cannot become the user {self.name} ({exc.strerror})")


def choose_account(data: Path) -> Account:
    """Choose who runs the server: the caller; for root, the owner of the data or a spare account.

    Args:
        data: The data folder, which may not be there yet.

    Raises:
        AccountMissing: The caller is root and there is neither `postgres` nor `nobody`.
        FolderUnusable: The data belongs to another user, and the caller is not root.
    """
    caller = os.geteuid()
    try:
        owner = data.stat()
    except FileNotFoundError:
        owner = None
    except OSError as exc:
        raise FolderUnusable(data, f"it cannot be read ({exc.strerror})") from exc
    if caller != 0:
        if owner is not None and owner.st_uid != caller:
            raise FolderUnusable(
                data,
                f"it belongs to the user {_name(owner.st_uid)}; "
                "run pgflow as that user, or set PGFLOW_HOME to a folder of your own",
            )
        return Account(uid=caller, gid=os.getegid(), name=_name(caller), is_other=False)
    if owner is not None and owner.st_uid != 0:
        name = _name(owner.st_uid)
        return Account(uid=owner.st_uid, gid=owner.st_gid, name=name, is_other=True)
    return _spare_account()


def _spare_account() -> Account:
    # Here, since Windows has none, and imports this module all the same.
    import pwd

    for name in UNPRIVILEGED:
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(uid=found.pw_uid, gid=found.pw_gid, name=name, is_other=True)
    raise AccountMissing(f"there is no user {' or '.join(UNPRIVILEGED)} to run it as")


def _name(uid: int) -> str:
    # Here, since Windows has none, and imports this module all the same.
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _environment() -> dict[str, str]:
    # Without a locale, the server can become multithreaded on macOS, and then refuses to start.
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {"LC_ALL": "C"}
