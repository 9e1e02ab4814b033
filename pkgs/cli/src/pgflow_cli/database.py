"""Which database a command works on: the one that is named, else the project's embedded one."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgflow_dsl.errors import PgflowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from pgflow_cli.embedded import EmbeddedServer

OPTION = "--database-url"
VARIABLES = ("PGFLOW_DATABASE_URL", "DATABASE_URL")
EMBEDDED = "embedded"
HOME_VARIABLE = "PGFLOW_HOME"

DATA_MARK = ".pgflow/db"
PROJECT_MARKS = ("pyproject.toml", ".git")
SCHEMES = ("postgresql", "postgres")


class DatabaseUrlInvalid(PgflowError):
    """A database URL that was given is not one of PostgreSQL.

    Attributes:
        source: Where it was given: "--database-url" or an environment variable.
        reason: What is wrong with it. The URL itself may hold a password, and is not told.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.source} {self.reason}; "
            "give one such as postgresql://user:password@host:5432/database"
        )


class CurrentFolderGone(PgflowError):
    """The current folder was deleted, so that it belongs to no project."""

    def __str__(self) -> str:
        return f"the current folder is gone; change to another one, or set {HOME_VARIABLE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database to work on.

    Attributes:
        url: A URL or connection string that psycopg takes; may hold a password.
        source: Who named it: "--database-url", "PGFLOW_DATABASE_URL", "DATABASE_URL", "embedded".
    """

    url: str
    source: str

    @property
    def is_embedded(self) -> bool:
        """Whether it is the embedded server's."""
        return self.source == EMBEDDED

    @property
    def place(self) -> str:
        """Which it is, in words, without what is secret in its URL."""
        if self.is_embedded:
            return f"the embedded database in {embedded_root().parent}"
        from psycopg.conninfo import conninfo_to_dict

        named = conninfo_to_dict(self.url)
        name = named.get("dbname") or os.environ.get("PGDATABASE") or "of the user's name"
        return f"database {name}, which {self.source} names"


def open_database(option: str | None = None) -> Database:
    """Find the database, and start the embedded server if it is that one's.

    Args:
        option: What --database-url was given; None if it was not.

    Raises:
        DatabaseUrlInvalid: What was given is not a PostgreSQL URL.
        EmbeddedError: The embedded server could not be started.
    """
    return named_database(option) or Database(url=embedded_server().start(), source=EMBEDDED)


def named_database(option: str | None = None) -> Database | None:
    """Find the database that the option or the environment names.

    Args:
        option: What --database-url was given; None if it was not.

    Returns:
        The database; None where nothing names one, so that it is the embedded server's.

    Raises:
        DatabaseUrlInvalid: What was given is not a PostgreSQL URL.
    """
    if option is not None and not option.strip():
        # A variable that a script forgot to set, say: another database would be a surprise.
        raise DatabaseUrlInvalid(OPTION, "is empty")
    given = {OPTION: option, **{name: os.environ.get(name) for name in VARIABLES}}
    for source, url in given.items():
        if url and url.strip():
            return Database(url=_plain_url(url.strip(), source), source=source)
    return None


def connect(url: str) -> psycopg.Connection[Any]:
    """Open a connection that commits each statement by itself, whatever the database's encoding.

    Raises:
        psycopg.OperationalError: The server cannot be reached.
    """
    import psycopg

    return psycopg.connect(url, autocommit=True, client_encoding="UTF8")


def embedded_server(settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Give the embedded server of the project that the user stands in, started or not.

    Args:
        settings: Server settings to start it with.

    Raises:
        PlatformUnsupported: This operating system has no embedded server.
    """
    from pgflow_cli.embedded import EmbeddedServer

    return EmbeddedServer(embedded_root(), settings=settings)


def embedded_root() -> Path:
    """Choose the folder of the embedded server.

    It is `db` in PGFLOW_HOME; else `.pgflow/db` in the project, which is the nearest folder
    upwards that has one already, or a pyproject.toml or .git, else the current folder. Where the
    user cannot write there, it is a folder of the user's own for that project. What lies in the
    user's home or at the root of the file system is not for all the folders below.
    """
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().absolute() / "db"
    try:
        current = Path.cwd()
    except FileNotFoundError:
        raise CurrentFolderGone from None
    project = next(
        (
            folder
            for folder in (current, *current.parents)
            if any((folder / mark).exists() for mark in PROJECT_MARKS)
            or _has_data_for(folder, current)
        ),
        current,
    )
    home = project / ".pgflow"
    root = home / "db"
    nearest = next(each for each in (root, home, project) if each.exists())
    if os.access(nearest, os.W_OK | os.X_OK):
        return root
    digest = hashlib.sha256(os.fsencode(project)).hexdigest()[:12]
    return _state_folder() / f"{project.name}-{digest}" / "db"


def _has_data_for(folder: Path, current: Path) -> bool:
    """Tell whether a folder has an embedded server's data for who stands in a folder in or below.

    Data of somebody who owns neither the current folder nor this process is not ours to use: root
    would write where another user says.
    """
    try:
        owner = (folder / DATA_MARK).parent.stat().st_uid
        is_there = (folder / DATA_MARK).exists()
    except OSError:
        return False
    owners = {current.stat().st_uid}
    if sys.platform != "win32":
        owners.add(os.geteuid())
    is_for_all = folder == current or folder not in (_home(), Path(folder.anchor))
    return is_there and is_for_all and owner in owners


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _state_folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    # The standard says to ignore a relative path.
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
    return base / "pgflow"


def _plain_url(url: str, source: str) -> str:
    """Turn what frameworks write (`postgresql+psycopg://`) into what PostgreSQL's library reads."""
    scheme, separator, rest = url.partition("://")
    if separator:
        if scheme.partition("+")[0] not in SCHEMES:
            raise DatabaseUrlInvalid(source, "is not the URL of a PostgreSQL database")
        url = f"postgresql://{rest}"
    # Here, since `pgflow db start` needs no driver.
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise DatabaseUrlInvalid(source, "is neither a URL nor a connection string") from None
    return url
