"""Which files are read, and names that are not text."""

import os
from pathlib import Path

import pytest
from pgflow_cli.demo.files import find_files, to_path, to_show, to_text


def found(folder: Path) -> list[str]:
    return [os.path.relpath(entry.path, folder) for entry in find_files(folder)]


def test_files_of_the_four_languages_are_found_in_order(folder: Path):
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "b.PYI").write_text("")
    assert found(folder) == [
        *("README.md", "b.PYI", "notes.txt", "src/a.py", "src/t.sql", "src/test_a.py"),
    ]


@pytest.mark.parametrize(
    "name", [".git", ".venv", "node_modules", "__pycache__", ".mypy_cache", ".pgflow"]
)
def test_what_tools_keep_beside_the_sources_is_not_read(folder: Path, name: str):
    before = found(folder)
    (folder / "src" / name).mkdir()
    (folder / "src" / name / "a.py").write_text("1")
    assert found(folder) == before


def test_an_environment_is_known_by_its_mark_whatever_its_name(folder: Path):
    before = found(folder)
    (folder / "my-env" / "lib").mkdir(parents=True)
    (folder / "my-env" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "my-env" / "lib" / "a.py").write_text("1")
    assert found(folder) == before


def test_links_pipes_and_loops_are_left_out(folder: Path):
    before = found(folder)
    (folder / "src" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "link.md").symlink_to(folder / "README.md")
    (folder / "gone.md").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.md").mkdir()
    assert found(folder) == before


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path):
    assert found(tmp_path / "gone") == []


@pytest.mark.parametrize(
    "name", [b"plain.md", b"100%.md", b"a b\nc.md", "ü 🎉.md".encode(), b"\xff\xfe.md", b"%41.md"]
)
def test_every_name_survives_as_text_that_json_can_hold(name: bytes):
    text = to_text(Path(os.fsdecode(name)))
    text.encode()
    assert os.fsencode(to_path(text)) == name


def test_names_are_shown_on_one_line_without_control_characters():
    shown = to_show(to_text(Path(os.fsdecode(b"a\n\x1b[31m\xff \xf0\x9f\x8e\x89.md"))))
    assert shown == "a\\n\\x1b[31m\N{REPLACEMENT CHARACTER} 🎉.md"
