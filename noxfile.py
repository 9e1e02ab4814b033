"""The only list of the project's checks: `uv run nox` runs all that a change must pass.

Each session lays the locked workspace into an environment of its own, so that what runs is what
`uv.lock` names, and nothing that happens to be installed.
"""

import json
import os
import re
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"
# Also on CI: an interpreter that is not there is reported as skipped, and fails nothing.
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "sql", "tests", "chaos-short", "docs"]

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# The interpreter that runs nox is sure to be there, so it is the one that runs the slow tests too.
FULL_SUITE_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MODULES = sorted(path.name for path in ROOT.glob("pkgs/*/src/pgflow_*"))
TYPE_TESTS = [
    *("pkgs/dsl/tests/types", "pkgs/client/tests/types"),
    *("tests/examples/test_types.py", "tests/docs/test_types.py"),
]

# What depends on the interpreter. SQL, servers, poolers, browsers, terminals and the shape of the
# tree are the same on each, and one is enough for them.
ON_EVERY_PYTHON = [
    *("pkgs/dsl/tests", "pkgs/client/tests", "pkgs/worker/tests", "tests/acceptance"),
    *("pkgs/cli/tests/test_code.py", "pkgs/cli/tests/test_commands.py"),
]

# Tests wait for processes and servers more than they compute.
IN_PARALLEL = ("-n", "3", "--dist", "worksteal")

# The first PostgreSQL found is the one that every test run uses anyway.
LIST_OTHER_SERVERS = """
import json
from pgflow_cli.embedded import all_binaries
others = all_binaries()[1:]
named = {f"PostgreSQL {each.version} ({each.origin})": str(each.path) for each in others}
print("servers:" + json.dumps(named))
"""


def show_pyenv_interpreters() -> None:
    """Put the interpreters that pyenv keeps on PATH; its shims hide all but the selected one."""
    root = os.environ.get("PYENV_ROOT")
    if not root:
        return
    kept = sorted(Path(root, "versions").glob("3.*/bin"), key=version_of, reverse=True)
    os.environ["PATH"] = os.pathsep.join([*map(str, kept), os.environ.get("PATH", "")])


def version_of(folder: Path) -> list[int]:
    """Read the version from `versions/3.12.10/bin`, to compare it as numbers."""
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]


def sync(session: nox.Session, *groups: str) -> None:
    """Lay all packages and the named dependency groups into the session's environment."""
    place = session.virtualenv.location
    session.run_install(
        *("uv", "sync", "--quiet", "--locked", "--all-packages", "--no-default-groups"),
        *(f"--group={group}" for group in groups),
        f"--python={place}",
        env={"UV_PROJECT_ENVIRONMENT": place},
    )


def other_servers(session: nox.Session) -> dict[str, str]:
    """Find the PostgreSQL servers besides the default one: what each is, and its folder."""
    said = session.run("python", "-c", LIST_OTHER_SERVERS, silent=True)
    found = re.search(r"^servers:(.*)$", str(said), re.MULTILINE)
    if found is None:
        session.error(f"cannot list the PostgreSQL servers: {said}")
    servers: dict[str, str] = json.loads(found[1])
    return servers


@nox.session
def lint(session: nox.Session) -> None:
    """Style, the direction of imports, the lock and the changelog's fragments."""
    sync(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("uv", "lock", "--check")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Both type checkers, strict, on sources and examples; then samples that must pass or fail."""
    sync(session, "types")
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("pkgs/*/src"))
    quiet = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    session.run("mypy", "noxfile.py", "tools", *sources)
    programs = [*ROOT.glob("examples/*/*.py"), *ROOT.glob("deploy/*/*.py")]
    for example in sorted({path.parent for path in programs}):
        # Its modules are found from the folder that its program is in, as they are when it runs.
        with session.chdir(example):
            configured = (f"--config-file={ROOT}/pyproject.toml", f"--cache-dir={ROOT}/.mypy_cache")
            session.run("mypy", *configured, ".")
    session.run("pyright", f"--pythonpath={session.virtualenv.bin}/python", env=quiet)
    # The command is a program: nobody builds on its types.
    for module in (module for module in MODULES if module != "pgflow_cli"):
        session.run("pyright", "--ignoreexternal", "--verifytypes", module, env=quiet, silent=True)
    session.run("pytest", *TYPE_TESTS, *session.posargs, env=quiet)


@nox.session
def sql(session: nox.Session) -> None:
    """SQL conventions; then the SQL and acceptance tests on each further PostgreSQL found."""
    sync(session, "test", "lint")
    session.run("sqlfluff", "lint", "pkgs/core-sql/src/pgflow_core_sql/sql")
    session.run("pytest", "pkgs/core-sql/tests/schema/test_conventions.py")
    for server, folder in other_servers(session).items():
        session.log(f"on {server} in {folder}")
        session.run(
            *("pytest", *IN_PARALLEL, "-m", "not slow", "pkgs/core-sql/tests", "tests/acceptance"),
            *session.posargs,
            env={"PGFLOW_TEST_PG_BIN": folder},
        )


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests on the interpreter that runs nox; on the others, those that depend on it."""
    sync(session, "test")
    # The chaos suite has sessions of its own, which nothing else runs beside.
    without = [f"--ignore={folder}" for folder in (*TYPE_TESTS, "tests/chaos")]
    chosen: list[str] = []
    if session.python != FULL_SUITE_PYTHON:
        chosen = [*ON_EVERY_PYTHON, "-m", "not slow"]
    session.run("pytest", *IN_PARALLEL, *without, *chosen, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Random flows and their runs by the thousand, not by default; `-- 100` plays 25,000."""
    sync(session, "test")
    [times, *others] = session.posargs or ["20"]
    session.run("pytest", "pkgs/core-sql/tests/model", *others, env={"PGFLOW_FUZZ": times})


@nox.session(name="chaos-short")
def chaos_short(session: nox.Session) -> None:
    """Kill, freeze and cut off workers and servers for two minutes, alone on the machine."""
    sync(session, "test")
    session.run("pytest", "tests/chaos", "-m", "not chaos", "-s", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """The same for 10 minutes, each fault alone besides: `-- --chaos-seed 7` repeats a round.

    `-- --chaos-page website/docs/chaos.md` writes the page of figures. Not by default.
    """
    sync(session, "test")
    session.run("pytest", "tests/chaos", "--chaos", "-m", "chaos", "-s", *session.posargs)


@nox.session
def poolers(session: nox.Session) -> None:
    """The tests of poolers; then client, worker and acceptance through one. Not by default.

    What takes a direct connection is skipped with its reason (`@pytest.mark.direct`).
    """
    sync(session, "test")
    session.run("pytest", "tests/poolers", *session.posargs)
    without = [f"--ignore={folder}" for folder in TYPE_TESTS]
    for mode in ("session", "transaction", "unprepared"):
        session.run(
            *("pytest", *IN_PARALLEL, *without, "tests/acceptance"),
            *("pkgs/client/tests", "pkgs/worker/tests", *session.posargs),
            env={"PGFLOW_TEST_POOLER": mode},
        )


@nox.session
def dask(session: nox.Session) -> None:
    """Handlers on a cluster of Dask, an executor like any other. Not by default."""
    sync(session, "dask")
    session.run("pytest", "tests/clusters", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the website; a broken link or reference, or a source without its words, fails.

    `-- 0.2.0 FOLDER` lays it into a folder beside other versions.
    """
    sync(session, "docs")
    # The website's own extensions of Markdown are there.
    env = {"PYTHONPATH": str(ROOT / "website/tools")}
    if session.posargs:
        env["MIKE_DOCS_VERSION"] = session.posargs[0]
    session.run("python", "website/tools/generate.py")
    session.run(
        *("zensical", "build", "--strict", "--clean", "--config-file=website/zensical.toml"),
        env=env,
    )
    if session.posargs:
        version, folder = session.posargs
        session.run("python", "website/tools/publish.py", folder, version)


@nox.session
def snapshot(session: nox.Session) -> None:
    """Build the commit as a version of its own, try it, and leave it in dist/. Not by default."""
    sync(session, "release")
    session.run("python", "-m", "tools.releases", "snapshot", *session.posargs)


@nox.session
def release(session: nox.Session) -> None:
    """Build the tagged commit and try it; only `-- --publish` uploads it. Not by default."""
    sync(session, "release")
    session.run("python", "-m", "tools.releases", "release", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed beside peers, on one server: `-- --full`, `-- --only W1`. Not by default."""
    if not (ROOT / "bench" / "pyproject.toml").exists():
        session.skip("there is no bench/ in this tree, so there is nothing to measure")
    sync(session)
    with session.chdir("bench"):
        session.run("python", "-m", "pgflow_bench", *session.posargs)


show_pyenv_interpreters()
