"""Starting, sharing and stopping."""

import json
import os
import signal
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pgflow_cli.embedded import (
    EmbeddedServer,
    FolderUnusable,
    LockTimeout,
    NotRunning,
    StartFailed,
    StartTimeout,
)

from tests.support import until

START = """
import sys
from pathlib import Path
from pgflow_cli.embedded import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"}).start(), flush=True)
"""


def fetch(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def postmaster_pid(server):
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])


def socket_folder(url):
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def test_data_outlives_the_server(server):
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert server.stop()
    assert not server.is_running()
    assert fetch(server.start(), "select answer from kept") == 42


def test_starting_and_stopping_twice_changes_nothing(server):
    url = server.start()
    pid = postmaster_pid(server)
    assert server.start() == url
    assert postmaster_pid(server) == pid
    assert server.stop()
    assert not server.stop()


def test_a_server_that_was_never_started_is_not_running_and_makes_no_folder(server):
    assert not server.is_running()
    assert not server.stop()
    assert not server.reset()
    with pytest.raises(NotRunning, match="pgflow db start"):
        server.url()
    assert not server.root.exists()


def test_processes_that_race_share_one_server(server, python):
    starters = [python(START, server.root) for _ in range(4)]
    urls = {starter.communicate(timeout=60)[0].strip() for starter in starters}
    assert urls == {server.url()}
    assert fetch(server.url(), "select 1") == 1


def test_the_server_outlives_its_starter_and_the_terminals_ctrl_c(server, python):
    starter = python(START + "input()", server.root, start_new_session=True)
    url = starter.stdout.readline().strip()
    os.killpg(starter.pid, signal.SIGINT)
    starter.wait(timeout=20)
    assert os.getsid(postmaster_pid(server)) != starter.pid
    assert fetch(url, "select 1") == 1


def test_ctrl_c_while_the_data_is_made_leaves_no_half_of_it(server, python):
    starter = python(START, server.root, start_new_session=True)
    until(lambda: any(server.root.glob("init-*/data")))
    os.killpg(starter.pid, signal.SIGINT)
    starter.wait(timeout=20)
    assert not any(server.root.glob("init-*"))
    assert fetch(server.start(), "select 1") == 1


def test_by_default_commits_are_durable_and_there_is_no_tcp(make_server):
    server = make_server(settings=None)
    url = server.start()
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert fetch(url, f"show {name}") == "on"
    assert fetch(url, "show listen_addresses") == ""
    assert server.tcp_url() is None


def test_settings_override_and_text_sorts_alike_everywhere(make_server):
    url = make_server(settings={"fsync": "off", "work_mem": "7MB"}).start()
    assert fetch(url, "show work_mem") == "7MB"
    assert fetch(url, "show fsync") == "off"
    assert fetch(url, "show server_encoding") == "UTF8"
    assert fetch(url, "select 'B' < 'a'")
    assert fetch(url, "select upper('é')") == "É"


def test_a_setting_that_the_server_refuses_is_told_with_its_log(make_server):
    with pytest.raises(StartFailed, match="no_such_setting"):
        make_server(settings={"no_such_setting": "1"}).start()


def test_variables_meant_for_clients_do_not_reach_the_server(server, monkeypatch):
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGOPTIONS": "-c x.y=1"}.items():
        monkeypatch.setenv(name, value)
    url = server.start()
    for name in ("PGPORT", "PGDATA", "PGOPTIONS"):
        monkeypatch.delenv(name)
    assert fetch(url, "show port") == "5432"


def test_only_the_servers_account_can_enter_the_folder_of_its_socket(server):
    folder = socket_folder(server.start())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == server.data.stat().st_uid
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_urls_name_any_database(server):
    with psycopg.connect(server.start(), autocommit=True) as connection:
        connection.execute('create database "odd/name?"')
    assert fetch(server.url("odd/name?"), "select current_database()") == "odd/name?"


def test_the_version_is_that_of_the_server(server):
    before = server.version()
    url = server.start()
    assert fetch(url, "show server_version").split()[0] == server.version() == before


def test_a_start_that_takes_too_long_shows_the_log_and_can_be_waited_for_again(server):
    server.start()
    server.stop()
    with pytest.raises(StartTimeout, match="not ready within 0 s") as caught:
        server.start(timedelta(0))
    assert caught.value.log
    assert fetch(server.start(), "select 1") == 1


def test_a_lock_that_is_kept_is_waited_for_and_then_told(server, python):
    server.start()
    holder = python(
        "import fcntl, sys; held = open(sys.argv[1], 'r+'); fcntl.flock(held, fcntl.LOCK_EX);"
        "print('held', flush=True); input()",
        server.root / "lock",
    )
    holder.stdout.readline()
    with pytest.raises(LockTimeout, match="another process"):
        server.start(timedelta(milliseconds=50))
    holder.kill()
    holder.wait()
    server.start()


def test_reset_deletes_the_data_and_the_next_start_begins_anew(server):
    with psycopg.connect(server.start()) as connection:
        connection.execute("create table gone ()")
    assert server.reset()
    assert not server.is_running()
    assert not server.data.exists()
    assert fetch(server.start(), "select to_regclass('gone')") is None


def test_a_root_that_cannot_be_made_is_told(folder, make_server):
    (folder / "file").write_text("")
    server = EmbeddedServer(folder / "file" / "db")
    with pytest.raises(FolderUnusable, match="PGFLOW_HOME"):
        server.start()


def test_what_is_not_a_data_folder_is_left_alone(server):
    server.root.mkdir()
    server.data.mkdir()
    (server.data / "mine.txt").write_text("precious")
    with pytest.raises(FolderUnusable, match="not a data folder"):
        server.start()
    assert (server.data / "mine.txt").read_text() == "precious"
    (server.data / "mine.txt").unlink()


def test_git_does_not_see_the_data(server):
    server.start()
    subprocess.run(["git", "init", "--quiet", server.root.parent], check=True)
    seen = subprocess.run(
        ["git", "status", "--porcelain"], cwd=server.root.parent, capture_output=True, text=True
    )
    assert seen.stdout == ""


def test_root_and_an_ordinary_user_can_both_run_servers(folder, as_nobody):
    (folder / "users").mkdir()
    (folder / "users").chmod(0o777)
    code = """
import json, os, sys, psycopg
from pathlib import Path
from pgflow_cli.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"})
url = server.start()
with psycopg.connect(url) as connection:
    answer = connection.execute("select 40 + 2").fetchone()[0]
print(json.dumps({"uid": os.stat(server.data).st_uid, "answer": answer, "gone": server.reset()}))
"""
    ran = as_nobody(code, folder / "users" / "db")
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == {"uid": 65534, "answer": 42, "gone": True}


def test_another_users_server_is_told_to_be_that(server, as_nobody):
    server.start()
    server.root.chmod(0o755)
    ran = as_nobody(START, server.root)
    assert "FolderUnusable" in ran.stderr
    assert "another user's" in ran.stderr
    assert server.is_running()
