"""Tables fit the terminal that they are shown on, and are whole everywhere else."""

import shutil
import sys
from dataclasses import fields

import pytest
from pgflow_cli.columns import lay_out
from pgflow_cli.tables import overview_lines
from pgflow_client.overview import FlowOverview, Overview
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


def test_columns_go_one_by_one_and_only_where_the_others_would_not_be_readable(columns):
    def heads(width: int) -> list[str]:
        columns(width)
        rows = [("x" * 10, "7", "why " * 30, "a" * 9)]
        lines = lay_out(
            ("id", "n", "why", "more"), rows, whole=("id", "n"), first_to_go=("more", "n")
        )
        [head, row] = lines
        assert cell_len(row) <= width
        return head.split()

    assert heads(44) == ["id", "n", "why", "more"]
    assert heads(35) == ["id", "n", "why"]
    assert heads(30) == ["id", "why"]
    assert heads(20) == ["id", "why"]


def test_what_a_database_does_fits_eighty_columns_with_whole_headings(columns):
    columns(80)
    numbers = {name.name: 1_000_000 for name in fields(FlowOverview) if name.name != "flow_slug"}
    flow = FlowOverview(flow_slug="a_flow_with_a_rather_long_name", **numbers)
    overview = Overview(schema_version=1, flows=(flow,), workers=())
    lines = list(overview_lines(overview, "database app, which DATABASE_URL names"))
    assert max(map(cell_len, lines)) <= 80
    for head in ("running", "completed", "failed", "ready", "delayed", "claimed"):
        assert head in lines[2].split()
    assert lines[3].startswith("a_flow_with_a")


def test_a_terminal_that_is_too_narrow_for_anything_is_overrun(columns):
    columns(10)
    assert "x" * 20 in list(lay_out(HEADS, ROWS, whole={"id"}))[1]
