"""Which database a command works on."""

import os
from pathlib import Path

import pytest
from pgflow_cli.database import (
    CurrentFolderGone,
    DatabaseUrlInvalid,
    embedded_root,
    named_database,
    open_database,
)


@pytest.fixture
def project(folder, monkeypatch):
    made = folder / "project"
    (made / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(made / "src" / "deep")
    return made


def test_the_option_wins_over_pgflows_variable_and_that_over_the_general_one(monkeypatch):
    assert named_database() is None
    monkeypatch.setenv("DATABASE_URL", "postgresql:///general")
    assert named_database().source == "DATABASE_URL"
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "postgresql:///own")
    assert named_database().url == "postgresql:///own"
    assert named_database("postgresql:///option").url == "postgresql:///option"
    assert named_database("postgresql:///option").source == "--database-url"


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("PGFLOW_DATABASE_URL", "")
    monkeypatch.setenv("DATABASE_URL", " ")
    assert named_database() is None


def test_an_empty_option_is_refused_and_not_another_database_used():
    with pytest.raises(DatabaseUrlInvalid, match="--database-url is empty"):
        named_database("")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgres://me@host/db", "postgresql://me@host/db"),
        ("postgresql+psycopg://me@host/db", "postgresql://me@host/db"),
        ("host=there dbname=db", "host=there dbname=db"),
    ],
)
def test_the_spellings_of_other_tools_are_understood(given, url):
    assert named_database(given).url == url


@pytest.mark.parametrize(
    "given", ["sqlite:///secret.db", "secret", "postgresql://secret@[host/db", "secret = x"]
)
def test_what_is_no_postgres_url_is_refused_without_telling_it(given):
    with pytest.raises(DatabaseUrlInvalid) as caught:
        named_database(given)
    assert "--database-url" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_named_starts_no_server(monkeypatch, project):
    monkeypatch.setenv("DATABASE_URL", "postgresql:///general")
    assert not open_database().is_embedded
    assert not (project / ".pgflow").exists()


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_the_embedded_server_is_kept_in_the_nearest_project(project, mark):
    (project / mark).mkdir()
    assert embedded_root() == project / ".pgflow" / "db"
    (project / "src" / "pyproject.toml").write_text("")
    assert embedded_root() == project / "src" / ".pgflow" / "db"


def test_outside_of_a_project_it_is_kept_in_the_current_folder(project):
    assert embedded_root() == project / "src" / "deep" / ".pgflow" / "db"


def test_data_in_the_home_is_not_for_all_the_folders_below(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project))
    (project / ".pgflow" / "db").mkdir(parents=True)
    assert embedded_root() == project / "src" / "deep" / ".pgflow" / "db"
    monkeypatch.chdir(project)
    assert embedded_root() == project / ".pgflow" / "db"


def test_data_of_the_folder_above_is_used(project):
    (project / ".pgflow" / "db").mkdir(parents=True)
    assert embedded_root() == project / ".pgflow" / "db"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_data_of_a_stranger_is_not_used_nor_does_root_write_there(project, monkeypatch):
    strangers = project / ".pgflow"
    (strangers / "db").mkdir(parents=True)
    os.chown(strangers, 65534, 65534)
    assert embedded_root() == project / "src" / "deep" / ".pgflow" / "db"
    # In the stranger's own folder root does the stranger's work.
    os.chown(project / "src" / "deep", 65534, 65534)
    assert embedded_root() == strangers / "db"


def test_pgflow_home_says_where_it_is_kept(monkeypatch, project):
    monkeypatch.setenv("PGFLOW_HOME", "relative/home")
    assert embedded_root() == project / "src" / "deep" / "relative" / "home" / "db"
    monkeypatch.setenv("PGFLOW_HOME", "~/home")
    assert embedded_root() == Path.home() / "home" / "db"


def test_where_the_user_cannot_write_it_is_kept_with_the_users_own_state(folder, as_nobody):
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    project.chmod(0o755)
    code = """
import os, sys
from pgflow_cli.database import embedded_root
os.chdir(sys.argv[1])
os.environ["XDG_STATE_HOME"] = "/state"
print(embedded_root())
"""
    ran = as_nobody(code, project)
    assert ran.stderr == ""
    root = Path(ran.stdout.strip())
    assert root.name == "db"
    assert root.parent.name.startswith("project-")
    assert root.parents[1] == Path("/state/pgflow")


def test_a_current_folder_that_was_deleted_is_told(folder, monkeypatch):
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    with pytest.raises(CurrentFolderGone, match="PGFLOW_HOME"):
        embedded_root()
    monkeypatch.chdir(folder)
