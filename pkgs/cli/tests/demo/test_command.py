"""`pgflow demo` as a newcomer runs it: a process, a folder, a database."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.support import until

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

RUN_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def report_of(output: str, cwd: Path) -> Path:
    return cwd / re.search(r"^Report:? +(.+)$", output, re.MULTILINE)[1]


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_read_and_reported_on_and_not_changed(
    run: Run, folder: Path, db: str, conn: psycopg.Connection, tmp_path: Path
):
    before = files_below(folder)
    done = run("demo", folder, "--database-url", db)
    assert (done.returncode, done.stderr) == (0, "")
    assert files_below(folder) == before

    texts = [(folder / name).read_text() for name in before]
    words = sum(len(text.split()) for text in texts)
    lines = sum(text.count("\n") for text in texts)
    assert f"5 files, {lines} lines, {words} words, 2 links, 6 definitions." in done.stdout
    for line in (
        r"fetch_motto +retrying +failed once on purpose, trying again",
        r"fetch_motto +done +[\d.]+ s, 1 retry",
        r"read_file +done +5 in [\d.]+ s",
        r"sum_up_python +done",
        r"write_report +done",
    ):
        assert re.search(line, done.stdout), line

    report = report_of(done.stdout, tmp_path)
    text = report.read_text()
    assert f"| **all** | 5 | {sum(map(len, before.values()))} B | {lines} | {words} |" in text
    assert "| `src/a.py` |" in text
    assert "2 modules, 1 of them tests" in text
    picture = report.with_suffix(".svg").read_text()
    assert f"({report.with_suffix('.svg').name})" in text
    assert "1 retry" in picture
    assert "skipped" not in picture

    run_id = re.search(rf"^Run:? +({RUN_ID})$", done.stdout, re.MULTILINE)[1]
    status = conn.execute("select status from pgflow.runs where run_id = %s", [run_id])
    assert status.fetchone() == ("completed",)


def test_without_python_files_its_summary_is_skipped_and_says_why(
    run: Run, folder: Path, db: str, tmp_path: Path
):
    for path in (folder / "src").glob("*.py"):
        path.unlink()
    done = run("demo", folder, "--database-url", db)
    assert done.returncode == 0
    assert re.search(r"sum_up_python +skipped +no Python files", done.stdout)
    report = report_of(done.stdout, tmp_path)
    assert "## Python" not in report.read_text()
    assert "skipped · no Python files" in report.with_suffix(".svg").read_text()


def test_names_that_are_not_text_are_read_and_shown_safely(run: Run, db: str, tmp_path: Path):
    folder = tmp_path / "names"
    folder.mkdir()
    for name in (
        b"a b.md",
        b"new\nline.txt",
        "emoji 🎉.md".encode(),
        b"\xff\xfe.txt",
        b"\x1b[31m.md",
    ):
        (folder / os.fsdecode(name)).write_text("two words\n")
    done = run("demo", folder, "--database-url", db)
    assert done.returncode == 0
    assert "5 files, 5 lines, 10 words" in done.stdout
    text = report_of(done.stdout, tmp_path).read_text()
    assert "Left out" not in text
    assert "\x1b" not in text + done.stdout
    assert "`new\\nline.txt`" in text


def test_the_embedded_server_starts_by_itself_and_the_next_commands_work_as_printed(
    run: Run, folder: Path, environment: dict[str, str], tmp_path: Path
):
    done = run("demo", folder)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        assert "embedded" in done.stdout
        commands = re.findall(r"^  (\S.*(?:status|compile|db psql).*)$", done.stdout, re.MULTILINE)
        assert len(commands) == 3
        for command in commands:
            ran = subprocess.run(
                shlex.split(command),
                cwd=tmp_path,
                env=environment,
                input="select count(*) from pgflow.step_states;\n",
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert (ran.returncode, ran.stderr) == (0, ""), command
            assert ran.stdout.strip(), command
        again = run("demo", folder, "--out", "again.md")
        assert again.returncode == 0
        assert report_of(again.stdout, tmp_path) == tmp_path / "again.md"
        assert (tmp_path / "again.svg").exists()
    finally:
        assert run("db", "reset", "--yes").returncode == 0


def test_a_terminal_shows_the_graph_live(start: Start, folder: Path, db: str):
    import pty

    ours, theirs = pty.openpty()
    process = start(
        *("demo", folder, "--database-url", db), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        # What Linux says when the other side has closed.
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=30) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "✓ run" in text
    assert re.search(r"● +list_files +done", text)
    assert re.search(r"│ ├─│─. +rank_files", text)
    assert re.search(r"╰─┴─│─│─. +sum_up_python", text)
    assert re.search(r"↻ +fetch_motto +retrying +failed once on purpose", text)
    assert re.search(r"╰─┴─┴─┴─● +write_report +done", text)
    assert "\x1b[?25h" in shown.decode(), "the cursor is shown again"


def test_two_demos_at_once_each_write_their_own_report(
    start: Start, folder: Path, db: str, tmp_path: Path
):
    both = [start("demo", folder, "--database-url", db) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    reports = {report_of(out, tmp_path) for out, _ in outputs}
    assert len(reports) == 2
    assert all("5 files" in report.read_text() for report in reports)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_run_that_is_left_in_the_middle_goes_on_with_the_command_that_is_printed(
    start: Start,
    folder: Path,
    db: str,
    conn: psycopg.Connection,
    tmp_path: Path,
    environment: dict[str, str],
    number: signal.Signals,
    code: int,
):
    process = start("demo", folder, "--database-url", db)
    assert process.stdout is not None
    before = ""
    while "retrying" not in before:
        before += process.stdout.readline()
    process.send_signal(number)
    after, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, "")
    run_id = re.search(rf"Stopped\. Run ({RUN_ID}) is kept", after)[1]

    def status() -> str:
        row = conn.execute("select status from pgflow.runs where run_id = %s", [run_id]).fetchone()
        return str(row and row[0])

    assert status() == "started"
    (command,) = re.findall(r"^  (\S.*)$", after, re.MULTILINE)
    worker = subprocess.Popen(
        shlex.split(command), cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    )
    try:
        until(lambda: status() == "completed")
    finally:
        worker.terminate()
        worker.communicate(timeout=30)


def test_a_database_without_the_schema_is_left_alone_unless_asked(
    run: Run, folder: Path, bare_db: str
):
    refused = run("demo", folder, "--database-url", bare_db)
    assert refused.returncode == 1
    assert "pgflow install" in refused.stderr
    assert "--install" in refused.stderr
    with psycopg.connect(bare_db) as conn:
        assert conn.execute("select to_regnamespace('pgflow')").fetchone() == (None,)
    assert run("demo", folder, "--database-url", bare_db, "--install").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["empty"], 1, "no text, Markdown, Python or SQL files in empty"),
        (["read me/README.md"], 2, "is a file"),
        (["nowhere"], 2, "does not exist"),
        (["read me", "--out", "report.txt"], 1, "ends in .md"),
        (["read me", "--out", "no/report.md"], 1, "there is no folder no"),
        (["read me", "--out", "read me/README.md"], 1, "already"),
        (["read me", "--database-url", "mysql://a/b"], 1, "not the URL of a PostgreSQL"),
    ],
)
def test_what_cannot_work_is_one_message_and_changes_nothing(
    run: Run, folder: Path, tmp_path: Path, words: list[str], code: int, said: str
):
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "empty" / ".git" / "a.md").write_text("not to be read")
    before = files_below(tmp_path)
    done = run("demo", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert files_below(tmp_path) == before
    assert not (tmp_path / "home").exists()


def test_where_there_are_no_files_yet_pgflows_own_are_read(run: Run, tmp_path: Path, db: str):
    empty = tmp_path / "new"
    empty.mkdir()
    done = run("demo", "--database-url", db, cwd=empty)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Reading pgflow's own" in done.stdout
    assert "`pgflow demo FOLDER`" in done.stdout
    assert list(empty.iterdir()) == []


def test_in_a_clone_the_whole_project_is_read_by_default(monkeypatch: pytest.MonkeyPatch):
    from pgflow_cli.demo.places import choose_folder

    clone = Path(__file__).parents[4]
    monkeypatch.chdir(clone / "pkgs" / "dsl")
    assert choose_folder(None) == clone


def test_elsewhere_the_current_folder_is_read_by_default(
    monkeypatch: pytest.MonkeyPatch, folder: Path
):
    from pgflow_cli.demo.places import choose_folder

    monkeypatch.chdir(folder)
    assert choose_folder(None) == folder
