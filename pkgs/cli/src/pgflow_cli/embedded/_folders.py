"""Where a server keeps what: its root, its data, its log, and the folder of its Unix socket.

`<root>/lock`, `<root>/postgres.log` and `<root>/.gitignore` are the caller's. `data` and `s` (the
socket's folder) belong to the account that runs the server; they are in the root, or, where that
account cannot get there, in a folder below /var/tmp to which the link `<root>/elsewhere` leads.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pgflow_cli.embedded.errors import FolderUnusable

if TYPE_CHECKING:
    from pgflow_cli.embedded._account import Account

# Not the temporary folder: what is there may be gone after a restart.
LASTING = Path("/var/tmp")

# A socket's whole path may have 103 bytes on macOS, 107 on Linux; `/.s.PGSQL.65535` is 15 of them.
LONGEST_SOCKET_FOLDER = 85
# PostgreSQL and libpq split lists of folders at commas, and quote by their own rules.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")

LARGEST_LOG = 5_000_000


class Folders:
    """The places of one server. Reading an attribute makes nothing."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root.expanduser()))
        self.lock = self.root / "lock"
        self.log = self.root / "postgres.log"
        self._elsewhere = self.root / "elsewhere"

    @property
    def home(self) -> Path:
        """The folder that holds the data: the root, or the one that stands in for it."""
        try:
            if not self._elsewhere.is_symlink():
                return self.root
            target = self._elsewhere.readlink()
        except OSError as exc:
            raise FolderUnusable(self.root, f"it cannot be read ({exc.strerror})") from exc
        if target.parent != LASTING or not target.name.startswith("pgflow-"):
            raise FolderUnusable(self._elsewhere, f"pgflow did not make this link to {target}")
        return target

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "data"

    def prepare_root(self) -> None:
        """Make the root, unseen by git, with all folders above it.

        Raises:
            FolderUnusable: It cannot be made, or the caller cannot write to it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as exc:
            raise FolderUnusable(
                self.root,
                f"the embedded PostgreSQL cannot be kept there ({exc.strerror}); "
                "set PGFLOW_HOME to a folder that can be written to",
            ) from exc

    def prepare_home(self, account: Account) -> None:
        """Settle where the data is, for a server that the account is about to start.

        Raises:
            FolderUnusable: The folder that stands in for the root is somebody else's.
        """
        if not self._elsewhere.is_symlink():
            if self.data.exists() or account.can_enter(self.root):
                return
            # Opening the caller's folders to everybody is not for us to do.
            salt = secrets.token_hex(8)
            digest = hashlib.sha256(f"{self.root}\0{salt}".encode()).hexdigest()[:12]
            self._elsewhere.symlink_to(LASTING / f"pgflow-{digest}")
        # Everybody may pass through, to what only the account may read.
        make_own_folder(self.home, 0o711)

    def prepare_sockets(self, account: Account) -> Path:
        """Make the folder of the Unix socket, which only the account may enter.

        Returns:
            The folder: in the home if a socket there can be named in a URL, else one with a short
            and plain path in the temporary folder.

        Raises:
            FolderUnusable: No such folder can be had.
        """
        for folder in self._socket_folders():
            if _can_hold_socket(folder) and account.can_enter(folder.parent):
                account.make_folder(folder)
                return folder
        raise FolderUnusable(self.home, "no short path for the server's socket was found")

    def open_log(self) -> int:
        """Open the log to write at its end; a long one is set aside first.

        Returns:
            A file descriptor.

        Raises:
            FolderUnusable: It cannot be opened.
        """
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > LARGEST_LOG:
                self.log.replace(self.log.with_suffix(".log.old"))
        try:
            return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise FolderUnusable(self.log, f"it cannot be written ({exc.strerror})") from exc

    def log_tail(self, start: int = 0, lines: int = 12) -> str:
        """Read the last lines of the log.

        Args:
            start: The byte from which on to look.
            lines: How many lines at most.
        """
        try:
            with self.log.open("rb") as log:
                log.seek(max(start, self.log.stat().st_size - 20_000))
                text = log.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def delete(self) -> None:
        """Delete the data for good, with the sockets and the log; the root and the lock stay.

        Only for a server that does not run.
        """
        home = self.home
        if self.data.exists():
            # A delete that is cut short must not leave what looks like a data folder.
            self.data.replace(home / f"old-{secrets.token_hex(4)}")
        self.clean()
        for folder in self._socket_folders():
            shutil.rmtree(folder, ignore_errors=True)
        for log in (self.log, self.log.with_suffix(".log.old")):
            log.unlink(missing_ok=True)
        if home != self.root:
            shutil.rmtree(home, ignore_errors=True)
            self._elsewhere.unlink()

    def clean(self) -> None:
        """Delete what a start or a delete that was killed halfway has left behind."""
        for leftover in (*self.home.glob("init-*"), *self.home.glob("old-*")):
            shutil.rmtree(leftover, ignore_errors=True)

    def _socket_folders(self) -> list[Path]:
        name = f"pgflow-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        temporary = dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp"), LASTING))
        return [self.home / "s", *(each / f"{name}-{os.geteuid()}" for each in temporary)]


def make_own_folder(path: Path, mode: int) -> None:
    """Make a folder of the caller in a place where everybody can write, or check that it is one.

    Args:
        path: The folder.
        mode: Its permissions.

    Raises:
        FolderUnusable: It is there, and another user made it or can write to it.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.geteuid()
        or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise FolderUnusable(path, "another user made it; delete it")
    path.chmod(mode)


def _can_hold_socket(folder: Path) -> bool:
    path = os.fsencode(folder)
    return len(path) <= LONGEST_SOCKET_FOLDER and PLAIN_PATH.fullmatch(str(folder)) is not None
