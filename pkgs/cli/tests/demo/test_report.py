"""The report's Markdown, whatever the files are called."""

import os
from pathlib import Path
from uuid import uuid4

import pytest
from pgflow_cli.demo.files import to_text
from pgflow_cli.demo.flow import FileCounts, Motto, Ranking, SourceFile, Survey, total_up
from pgflow_cli.demo.report import count, render_report, size


def render(path: Path, **counts: object) -> str:
    file = SourceFile(path=to_text(path), language="Text", size=12)
    each = FileCounts(file=file, **counts)  # type: ignore[arg-type]  # the fields of a model
    is_read = each.left_out is None
    ranking = Ranking(largest=[each] * is_read, longest_lines=[], left_out=[each] * (not is_read))
    survey = Survey(folder="/a folder", report="/out/my report.md")
    motto = Motto(text="Go on.", attempts=2)
    return render_report(survey, uuid4(), total_up([each]), ranking, None, motto)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b.md", "`a b.md`"),
        ("a|b.md", "`a\\|b.md`"),
        ("a`b.md", "``a`b.md``"),
        ("`a.md", "`` `a.md ``"),
        ("a\nb.md", "`a\\nb.md`"),
        (os.fsdecode(b"\xff.md"), "`\N{REPLACEMENT CHARACTER}.md`"),
    ],
)
def test_a_name_stays_in_its_cell(name: str, shown: str):
    assert f"| {shown} | 12 B | 3 |" in render(Path(name), lines=3)


def test_the_picture_is_linked_by_a_name_that_may_have_spaces():
    assert "](my%20report.svg)" in render(Path("a.md"))


def test_what_was_left_out_is_told_with_the_reason():
    assert "- `a.txt`: binary" in render(Path("a.txt"), left_out="binary")


def test_numbers_are_written_for_people():
    assert (count(1, "file"), count(2500, "file")) == ("1 file", "2,500 files")
    assert [size(n) for n in (0, 999, 1000, 999_949, 999_950, 1_234_567)] == [
        *("0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.2 MB")
    ]
