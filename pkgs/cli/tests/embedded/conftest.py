"""Servers of a test's own, and processes that use them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pgflow_cli.embedded import EmbeddedServer

from tests.support.servers import FAST

VARIABLES = (
    *("PGFLOW_PG_BIN", "PGFLOW_HOME", "PGFLOW_DATABASE_URL", "DATABASE_URL", "XDG_STATE_HOME"),
)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path that every account can pass through."""
    made = Path(tempfile.mkdtemp(prefix="pgf-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def make_server(folder: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Make servers that are stopped and deleted after the test."""
    made: list[EmbeddedServer] = []

    def make(root: Path = folder / "db", **options: object) -> EmbeddedServer:
        server = EmbeddedServer(root, **{"settings": FAST, **options})
        made.append(server)
        return server

    yield make
    for server in made:
        server.reset()


@pytest.fixture
def server(make_server: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    return make_server()


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own; it is ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def readable_paths() -> Iterator[list[str]]:
    """What this process imports from, where every account can read it.

    A clone in a private folder is nobody's but its owner's, so what it holds is linked elsewhere.
    """
    private = [Path(path) for path in sys.path if Path(path).is_dir() and _is_private(Path(path))]
    if not private:
        yield [path for path in sys.path if path]
        return
    elsewhere = Path(tempfile.mkdtemp(prefix="pgf-code-"))
    elsewhere.chmod(0o711)
    places = {path: elsewhere / str(number) for number, path in enumerate(private)}
    for path, place in places.items():
        shutil.copytree(path, place, copy_function=_link, ignore=_no_caches)
    yield [str(places.get(Path(path), path)) for path in sys.path if path]
    shutil.rmtree(elsewhere)


def _is_private(folder: Path) -> bool:
    return any(not each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _no_caches(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("__pycache__", ".git", ".nox", ".venv")}


@pytest.fixture
def as_nobody(readable_paths: list[str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run Python code as the user nobody, which only root can do."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    interpreter = _interpreter_of_nobody()
    if interpreter is None:
        pytest.skip("the user nobody can reach no interpreter of this version")

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        paths = readable_paths
        return subprocess.run(
            [interpreter, "-c", f"import sys; sys.path[:] += {paths!r}\n{code}"]
            + [str(each) for each in arguments],
            cwd="/",
            user="nobody",
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": os.environ["PATH"]},
        )

    return run


def _interpreter_of_nobody() -> str | None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            tried = subprocess.run(
                [candidate, "-c", "import ssl"], user="nobody", group=65534, cwd="/"
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return candidate
    return None
