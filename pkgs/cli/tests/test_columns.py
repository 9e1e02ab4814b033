"""Tables fit the terminal that they are shown on, and are whole everywhere else."""

import shutil
import sys

import pytest
from pgflow_cli.columns import lay_out
from rich.cells import cell_len

HEADS = ("id", "name", "why", "empty")
ROWS = [("x" * 20, "a" * 12, "because " * 5, ""), ("y" * 20, "b", "", "")]


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch):
    def set_columns(width: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        assert shutil.get_terminal_size().columns == width

    return set_columns


def test_a_pipe_gets_all_of_it():
    lines = list(lay_out(HEADS, ROWS))
    assert "because because because because because" in lines[1]
    assert "empty" not in lines[0]


def test_a_terminal_gets_what_fits_and_ids_stay_whole(columns):
    columns(50)
    lines = list(lay_out(HEADS, ROWS, whole={"id"}))
    assert max(map(len, lines)) <= 50
    assert lines[1].startswith("x" * 20)
    assert lines[1].endswith("…")


def test_wide_characters_take_the_room_that_they_need(columns):
    columns(60)
    rows = [("1", "注文を受け付けて梱包する"), ("2", "plain"), ("3", "two\nlines\tand\x1b[2J")]
    lines = list(lay_out(("name", "n"), [row[::-1] for row in rows]))
    assert {cell_len(line) for line in lines} == {24 + 2 + 1}
    assert "two lines and\\x1b[2J" in lines[3]
    columns(20)
    narrow = list(lay_out(("name", "n"), [(row[1], row[0]) for row in rows]))
    assert max(map(cell_len, narrow)) <= 20
    assert narrow[1].startswith("注文を")


def test_what_may_go_goes_first(columns):
    columns(50)
    lines = list(lay_out(HEADS, ROWS, whole={"id"}, first_to_go=("id",)))
    assert "id" not in lines[0]
    assert "a" * 12 in lines[1]


def test_a_terminal_that_is_too_narrow_for_anything_is_overrun(columns):
    columns(10)
    assert "x" * 20 in list(lay_out(HEADS, ROWS, whole={"id"}))[1]
