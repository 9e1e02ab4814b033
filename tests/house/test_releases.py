"""What `nox -s release` and `nox -s snapshot` refuse, stamp, compare and check."""

import re
import subprocess
import tarfile
import zipfile
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.house.workspace import PACKAGES, ROOT
from tools.releases import __main__ as command
from tools.releases import metadata, publishing, tree
from tools.releases.building import compare
from tools.releases.commands import ReleaseError
from tools.releases.refusals import TOKEN, refusals

VERSION = "0.2.0"


def git(folder: Path, *words: str) -> None:
    named = ("-c", "user.name=A Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def releasable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree against whose release nothing stands."""
    monkeypatch.delenv(TOKEN, raising=False)
    root = tmp_path / "project"
    (root / "changelog.d").mkdir(parents=True)
    (root / "changelog.d" / "README.md").touch()
    (root / "pyproject.toml").write_text(f'[project]\nname = "p"\nversion = "{VERSION}"\n')
    (root / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## {VERSION} (2026-12-01)\n\n## 0.1.0 (x)\n"
    )
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Release")
    git(root, "tag", f"v{VERSION}")
    return root


def test_nothing_stands_against_a_clean_tagged_tree_with_its_changelog(releasable: Path):
    assert refusals(releasable, is_published=False) == []


def test_a_tree_with_changes_is_not_released(releasable: Path):
    (releasable / "left.txt").touch()
    [said] = refusals(releasable, is_published=False)
    assert "not committed: ?? left.txt." in said


def test_a_commit_without_the_tag_of_its_version_is_not_released(releasable: Path):
    git(releasable, "tag", "-d", f"v{VERSION}")
    git(releasable, "tag", "v0.1.0")
    [said] = refusals(releasable, is_published=False)
    assert f"not tagged v{VERSION}" in said


def test_a_commit_after_the_tag_is_not_released(releasable: Path):
    git(releasable, "commit", "--quiet", "--allow-empty", "-m", "One more")
    [said] = refusals(releasable, is_published=False)
    assert f"not tagged v{VERSION}" in said


def test_fragments_that_are_not_in_the_changelog_are_not_released(releasable: Path):
    (releasable / "changelog.d" / "lanes.added.md").touch()
    git(releasable, "add", ".")
    git(releasable, "commit", "--quiet", "-m", "A change")
    git(releasable, "tag", "--force", f"v{VERSION}")
    [said] = refusals(releasable, is_published=False)
    assert "lanes.added.md: `uv run --group lint towncrier build --version 0.2.0`" in said


def test_a_version_that_is_not_the_changelogs_newest_is_not_released(releasable: Path):
    (releasable / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0 (2026-11-30)\n")
    git(releasable, "commit", "--quiet", "-am", "A change")
    git(releasable, "tag", "--force", f"v{VERSION}")
    [said] = refusals(releasable, is_published=False)
    assert f"CHANGELOG.md is not that of {VERSION}" in said


@pytest.mark.parametrize("token", [None, "", " "])
def test_publishing_needs_a_token(
    releasable: Path, token: str | None, monkeypatch: pytest.MonkeyPatch
):
    if token is not None:
        monkeypatch.setenv(TOKEN, token)
    [said] = refusals(releasable, is_published=True)
    assert TOKEN in said
    monkeypatch.setenv(TOKEN, "something")
    assert refusals(releasable, is_published=True) == []


def test_a_refused_release_says_all_reasons_and_builds_nothing(
    releasable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(command, "_make", lambda *_: pytest.fail("it was built"))
    git(releasable, "tag", "-d", f"v{VERSION}")
    (releasable / "left.txt").touch()
    assert command.main(["release", "--publish"], releasable) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in ("left.txt", "not tagged", TOKEN))


@pytest.mark.parametrize(("words", "is_published"), [([], False), (["--publish"], True)])
def test_only_who_says_so_publishes_and_after_the_trial(
    releasable: Path, words: list[str], is_published: bool, monkeypatch: pytest.MonkeyPatch
):
    did: list[str] = []
    monkeypatch.setattr(command, "_make", lambda *_: did.append("tried"))
    monkeypatch.setattr(command, "publish", lambda *_: did.append("published"))
    monkeypatch.setenv(TOKEN, "something")
    assert command.main(["release", *words], releasable) == 0
    assert did == ["tried", *(["published"] if is_published else [])]


def test_a_snapshot_cannot_be_published(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        command.main(["snapshot", "--publish"])
    assert "unrecognized arguments: --publish" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("released", "version"),
    [(None, "0.2.0.dev202611250907+g7019cf2ab"), ("0.2.0", "0.2.1.dev202611250907+g7019cf2ab")],
)
def test_a_snapshot_is_named_after_what_comes_next_and_its_commit(
    releasable: Path, released: str | None, version: str
):
    if released is None:
        (releasable / "CHANGELOG.md").write_text("# Changelog\n")
    at = datetime(2026, 11, 25, 9, 7, 30, tzinfo=UTC)
    commit = tree.Commit(name="7019cf2abdef0123456789", at=at)
    assert tree.snapshot_version(releasable, commit) == version


def test_a_copy_has_what_is_committed_and_a_stamp_changes_all_versions_in_it(tmp_path: Path):
    copy = tmp_path / "copy"
    commit = tree.head_commit(ROOT)
    before = [path.read_text() for path in tree.version_files(ROOT)]
    tree.copy_commit(ROOT, commit, copy, umask=0o022)
    assert tree.head_commit(copy) == commit
    old = tree.read_version(copy)
    tree.set_version(copy, "7.8.9.dev1+gabc")
    for path in tree.version_files(copy):
        text = path.read_text()
        assert 'version = "7.8.9.dev1+gabc"' in text
        assert set(re.findall(r'"pgflow-[a-z-]+==(.*)"', text)) <= {"7.8.9.dev1+gabc"}
    assert tree.read_version(copy) == "7.8.9.dev1+gabc" != old
    assert [path.read_text() for path in tree.version_files(ROOT)] == before


def test_all_packages_are_released_each_after_those_it_needs():
    assert set(tree.PACKAGES) == {package.name for package in PACKAGES}
    for package in PACKAGES:
        needs = {re.split("[^a-z-]", need)[0] for need in package.project["dependencies"]}
        before = tree.PACKAGES[: tree.PACKAGES.index(package.name)]
        assert needs & set(tree.PACKAGES) <= set(before)


@pytest.mark.parametrize("other", [None, b"other"])
def test_builds_that_differ_are_told_by_the_files_that_do(tmp_path: Path, other: bytes | None):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.whl").write_bytes(b"same")
        (tmp_path / name / "unlike.whl").write_bytes(b"one")
    compare(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "unlike.whl").unlink()
    if other is not None:
        (tmp_path / "two" / "unlike.whl").write_bytes(other)
    with pytest.raises(ReleaseError, match=r"differ in unlike\.whl;"):
        compare(tmp_path / "one", tmp_path / "two")


def make_artefacts(folder: Path, need: str, license: str = "Apache-2.0") -> None:
    """Make artefacts that have nothing but metadata."""
    folder.mkdir()
    for package in tree.PACKAGES:
        text = f"Metadata-Version: 2.4\nName: {package}\nVersion: {VERSION}\n"
        text += f"License-Expression: {license}\nLicense-File: LICENSE\nRequires-Dist: {need}\n"
        wheel, sources = metadata.file_names(package, VERSION)
        stem = f"{package.replace('-', '_')}-{VERSION}"
        with zipfile.ZipFile(folder / wheel, "w") as file:
            file.writestr(f"{stem}.dist-info/METADATA", text)
        (folder / "PKG-INFO").write_text(text)
        with tarfile.open(folder / sources, "w:gz") as file:
            file.add(folder / "PKG-INFO", f"{stem}/PKG-INFO")
        (folder / "PKG-INFO").unlink()


@pytest.mark.parametrize(
    ("need", "license", "said"),
    [
        ("pydantic>=2", "Apache-2.0", None),
        (f"pgflow-dsl=={VERSION}", "Apache-2.0", None),
        ("pgflow-dsl==0.1.0", "Apache-2.0", "needs pgflow-dsl==0.1.0"),
        (f"pgflow-dsl>={VERSION}", "Apache-2.0", "needs pgflow-dsl>=0.2.0"),
        ("pydantic>=2", "", "carries no license"),
    ],
)
def test_metadata_that_says_something_wrong_is_told(
    tmp_path: Path, need: str, license: str, said: str | None, monkeypatch: pytest.MonkeyPatch
):
    # It is a tool of the sessions alone, and checks what these have not.
    monkeypatch.setattr(metadata, "run", lambda *_, **__: "")
    make_artefacts(tmp_path / "dist", need, license)
    if said is None:
        metadata.check_metadata(tmp_path / "dist", VERSION)
        return
    with pytest.raises(ReleaseError, match=re.escape(said)):
        metadata.check_metadata(tmp_path / "dist", VERSION)


@pytest.mark.parametrize("change", ["one more", "one less"])
def test_nothing_but_the_five_packages_is_released(tmp_path: Path, change: str):
    make_artefacts(tmp_path / "dist", "pydantic>=2")
    if change == "one more":
        name = f"pgflow_bench-{VERSION}.tar.gz"
        (tmp_path / "dist" / name).touch()
    else:
        name = metadata.file_names("pgflow-dsl", VERSION)[0]
        (tmp_path / "dist" / name).unlink()
    with pytest.raises(ReleaseError, match=re.escape(name)):
        metadata.check_metadata(tmp_path / "dist", VERSION)


def test_publishing_sends_both_files_of_each_package_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken: list[str] = []

    class Index(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.extend(re.findall(rb'filename="([^"]+)"', body)[0].decode().split())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    make_artefacts(tmp_path / "dist", "pydantic>=2")
    with HTTPServer(("127.0.0.1", 0), Index) as index:
        thread = Thread(target=index.serve_forever)
        thread.start()
        try:
            monkeypatch.setenv("UV_PUBLISH_URL", f"http://127.0.0.1:{index.server_port}/")
            monkeypatch.setenv(TOKEN, "something")
            publishing.publish(tmp_path / "dist", VERSION)
        finally:
            index.shutdown()
            thread.join()
    stems = list(dict.fromkeys(name.split("-")[0] for name in taken))
    assert stems == [package.replace("-", "_") for package in tree.PACKAGES]
    assert len(set(taken)) == 2 * len(tree.PACKAGES)
