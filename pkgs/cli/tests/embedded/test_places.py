"""Where a server's files go: odd and long paths, folders that its account cannot reach."""

import os
import shutil
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pgflow_cli.embedded import BinariesUnusable, FolderUnusable, find_binaries

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")


def fetch(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def socket_folder(url):
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.mark.parametrize(
    "name",
    ["with space", "with,comma", "with'quote", "100%", "ünï", "x" * 120],
    ids=["space", "comma", "quote", "percent", "letters", "long"],
)
def test_any_path_can_hold_a_server(make_server, folder, name):
    server = make_server(folder / name / "db")
    url = server.start()
    assert fetch(url, "select 1") == 1
    sockets = socket_folder(url)
    assert not sockets.is_relative_to(folder)
    assert mode(sockets) == 0o700
    assert sockets.stat().st_uid == server.data.stat().st_uid
    assert server.data.is_relative_to(folder / name)
    server.reset()
    assert not sockets.exists()


def test_a_short_socket_folder_that_somebody_else_made_is_refused(make_server, folder):
    server = make_server(folder / "with space")
    sockets = socket_folder(server.start())
    server.stop()
    sockets.rmdir()
    sockets.symlink_to(folder)
    try:
        with pytest.raises(FolderUnusable, match="not a folder of the user"):
            server.start()
    finally:
        sockets.unlink()


def test_a_project_that_is_moved_takes_its_running_server_along(make_server, folder):
    before = make_server(folder / "old" / "db", settings={"fsync": "off"})
    with psycopg.connect(before.start()) as connection:
        connection.execute("create table kept as select 42 as answer")
    (folder / "old").rename(folder / "new")
    server = make_server(folder / "new" / "db")
    assert server.is_running()
    assert fetch(server.start(), "select answer from kept") == 42
    assert not (folder / "old").exists()


@needs_root
def test_root_does_not_run_the_server_as_root(server):
    server.start()
    assert server.data.stat().st_uid != 0


@needs_root
def test_roots_private_project_stays_private_and_its_data_goes_elsewhere(make_server, folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = make_server(private / "db")
    with psycopg.connect(server.start()) as connection:
        connection.execute("create table kept as select 42 as answer")
    home = server.data.parent
    assert home.parent == Path("/var/tmp")
    assert mode(private) == 0o700
    assert mode(server.data) == 0o700
    server.stop()
    assert fetch(server.start(), "select answer from kept") == 42
    server.reset()
    assert not home.exists()


@needs_root
def test_another_project_at_the_same_path_does_not_find_the_old_data(make_server, folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    first = make_server(private / "db")
    with psycopg.connect(first.start()) as connection:
        connection.execute("create table kept ()")
    first.stop()
    old_home = first.data.parent
    shutil.rmtree(private / "db")
    second = make_server(private / "db")
    assert fetch(second.start(), "select to_regclass('kept')") is None
    shutil.rmtree(old_home)


@needs_root
def test_a_folder_that_another_user_put_in_the_way_is_not_used(make_server, folder):
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = make_server(private / "db")
    server.start()
    server.stop()
    home = server.data.parent
    os.chown(home, 65534, 65534)
    (home / "data").rename(folder / "aside")
    with pytest.raises(FolderUnusable, match="another user"):
        server.start()
    shutil.rmtree(folder / "aside")


@needs_root
def test_binaries_in_a_private_folder_are_copied_and_stay_private(make_server, folder):
    original = find_binaries().path.parent
    private = folder / "private"
    private.mkdir(mode=0o700)
    package = private / original.parent.name
    shutil.copytree(original, package / "pginstall", copy_function=link_or_copy)
    libraries = original.parent.with_name(f"{original.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name, copy_function=link_or_copy)
    copies = set(Path("/var/tmp").glob("pgflow-bin-*"))
    server = make_server(binaries=package / "pginstall" / "bin")
    assert fetch(server.start(), "select 1") == 1
    (copy,) = set(Path("/var/tmp").glob("pgflow-bin-*")) - copies
    try:
        assert mode(private) == 0o700
        assert copy.stat().st_uid == 0
        assert mode(copy) == 0o750
        server.stop()
        server.start()
        assert set(Path("/var/tmp").glob("pgflow-bin-*")) - copies == {copy}
    finally:
        server.reset()
        shutil.rmtree(copy)


@needs_root
def test_a_private_folder_that_is_no_whole_postgres_is_not_copied(make_server, folder):
    private = folder / "private"
    (private / "bin").mkdir(parents=True)
    private.chmod(0o700)
    for name in ("postgres", "initdb"):
        program = private / "bin" / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.0'\n")
        program.chmod(0o755)
    with pytest.raises(BinariesUnusable, match="not a whole installation"):
        make_server(binaries=private / "bin").start()


@needs_root
def test_root_runs_an_ordinary_users_server_as_that_user(make_server, folder, as_nobody):
    (folder / "users").mkdir()
    os.chown(folder / "users", 65534, 65534)
    (folder / "users").chmod(0o700)
    code = """
import sys
from pathlib import Path
from pgflow_cli.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"})
server.start()
server.stop()
"""
    ran = as_nobody(code, folder / "users" / "db")
    assert ran.stderr == ""
    server = make_server(folder / "users" / "db")
    assert fetch(server.start(), "select 1") == 1
    pid = (server.data / "postmaster.pid").read_text().splitlines()[0]
    assert Path("/proc", pid).stat().st_uid == 65534
