"""After crashes: dead servers, reused process ids, and starts that were killed."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import psycopg
import pytest
from pgflow_cli.embedded import FolderUnusable

from tests.support import until

START_AND_WAIT = """
import sys
from pathlib import Path
from pgflow_cli.embedded import EmbeddedServer
EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"}).start()
print("ready", flush=True)
input()
"""


def fetch(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def postmaster_pid(server):
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])


def crash(server):
    """End the server as a power cut would, and give the pid that its file still names."""
    pid = postmaster_pid(server)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not server.is_running())
    return pid


@contextmanager
def bystander(server, program="sleep"):
    """Run an innocent process as the server's account, which could signal and mistake it."""
    owner = server.data.stat()
    is_root = os.geteuid() == 0
    process = subprocess.Popen(
        [program, "600"],
        executable="/bin/sleep",
        cwd="/",
        user=owner.st_uid if is_root else None,
        group=owner.st_gid if is_root else None,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def name_in_pid_file(server, pid):
    file = server.data / "postmaster.pid"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([f"{pid}\n", *lines[1:]]))


def test_committed_rows_survive_a_crash_with_an_open_connection(make_server):
    server = make_server(settings={"fsync": "off"})
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    # Its process holds on to the shared memory of the dead server for a moment.
    with closing(psycopg.connect(url, autocommit=True)):
        crash(server)
        assert fetch(server.start(), "select answer from kept") == 42


def test_a_reused_pid_neither_hinders_a_start_nor_is_harmed(server):
    server.start()
    crash(server)
    with bystander(server) as process:
        name_in_pid_file(server, process.pid)
        assert not server.is_running()
        assert not server.stop()
        assert fetch(server.start(), "select 1") == 1
        assert server.stop()
        assert process.poll() is None


def test_a_reused_pid_beside_the_socket_does_not_hinder_a_start(server):
    server.start()
    crash(server)
    (lock,) = (server.root / "s").glob(".s.PGSQL.*.lock")
    with bystander(server) as process:
        lines = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join([f"{process.pid}\n", *lines[1:]]))
        assert fetch(server.start(), "select 1") == 1
        assert server.stop()
        assert process.poll() is None


def test_a_reused_pid_of_another_postgres_is_not_taken_for_this_one(server, make_server, folder):
    server.start()
    crash(server)
    other = make_server(folder / "other")
    url = other.start()
    name_in_pid_file(server, postmaster_pid(other))
    assert not server.is_running()
    assert not server.stop()
    assert fetch(server.start(), "select 1") == 1
    server.reset()
    assert fetch(url, "select 1") == 1


def test_a_zombie_is_not_a_running_server(server, python):
    starter = python(START_AND_WAIT, server.root)
    starter.stdout.readline()
    pid = postmaster_pid(server)
    os.kill(pid, signal.SIGKILL)
    if sys.platform == "linux":
        # The starter lives and does not ask for its child, which so stays a zombie.
        stat = f"/proc/{pid}/stat"
        with open(stat) as file:
            until(lambda: file.seek(0) == 0 and ") Z " in file.read())
    until(lambda: not server.is_running())
    assert fetch(server.start(), "select 1") == 1
    assert postmaster_pid(server) != pid
    assert starter.poll() is None


def test_a_start_that_is_killed_while_it_makes_the_data_leaves_nothing_to_be_trusted(
    server, python
):
    starter = python(START_AND_WAIT, server.root)
    until(lambda: any(server.root.glob("init-*/data/base")))
    starter.kill()
    starter.wait()
    assert not server.data.exists()
    assert fetch(server.start(), "select 1") == 1
    assert not any(server.root.glob("init-*"))


def test_a_start_that_is_killed_before_the_server_is_ready_can_be_repeated(server, python):
    server.start()
    crash(server)
    starter = python(START_AND_WAIT, server.root)
    until(server.is_running)
    starter.kill()
    starter.wait()
    assert fetch(server.start(), "select 1") == 1


def test_a_reset_that_was_killed_halfway_is_finished_by_the_next_start(server):
    server.start()
    server.stop()
    server.data.rename(server.root / "old-0123abcd")
    assert fetch(server.start(), "select 1") == 1
    assert not any(server.root.glob("old-*"))


def test_a_link_that_pgflow_did_not_make_is_not_followed(server, folder):
    server.root.mkdir()
    (folder / "target").mkdir()
    link = server.root / "elsewhere"
    link.symlink_to(folder / "target")
    with pytest.raises(FolderUnusable, match="did not make this link"):
        server.start()
    assert not any((folder / "target").iterdir())
    link.unlink()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only Linux's root has rights to give up"
)
def test_root_without_the_right_to_look_into_processes_knows_its_server(server):
    server.start()
    # This is what root is inside most containers.
    code = (
        "import sys; from pathlib import Path; from pgflow_cli.embedded import EmbeddedServer;"
        "server = EmbeddedServer(Path(sys.argv[1])); print(server.is_running(), server.stop())"
    )
    limited = subprocess.run(
        [
            *("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"),
            *(sys.executable, "-c", code, server.root),
        ],
        capture_output=True,
        text=True,
    )
    assert limited.stderr == ""
    assert limited.stdout.split() == ["True", "True"]
    assert not server.is_running()
