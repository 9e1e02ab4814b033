"""The flow's handlers, called as the plain functions that they are."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from pgflow_cli.demo import flow
from pgflow_cli.demo.files import to_text
from pgflow_cli.demo.flow import FileCounts, SourceFile, Survey
from pgflow_dsl import Context


@pytest.fixture
def survey(folder: Path, tmp_path: Path) -> Survey:
    return Survey(folder=to_text(folder), report=to_text(tmp_path / "new" / "report.md"))


def context(attempt: int = 1) -> Context:
    return Context(
        run_id=uuid4(),
        flow_slug="pgflow_demo",
        step_slug="step",
        task_index=0,
        attempt=attempt,
        deadline=datetime.now(UTC),
        logger=logging.getLogger("test"),
    )


def count(survey: Survey) -> list[FileCounts]:
    return [flow.read_file(file, survey) for file in flow.list_files(survey)]


def test_files_are_listed_with_their_language_and_size(survey: Survey, folder: Path):
    assert [(file.path, file.language, file.size) for file in flow.list_files(survey)] == [
        ("README.md", "Markdown", (folder / "README.md").stat().st_size),
        ("notes.txt", "Text", 23),
        ("src/a.py", "Python", (folder / "src/a.py").stat().st_size),
        ("src/t.sql", "SQL", (folder / "src/t.sql").stat().st_size),
        ("src/test_a.py", "Python", (folder / "src/test_a.py").stat().st_size),
    ]


def test_a_file_is_counted(survey: Survey):
    readme, notes, module, sql, _ = count(survey)
    assert (readme.lines, readme.words, readme.links, readme.definitions) == (3, 6, 2, 1)
    assert (readme.longest_line_at, readme.longest_line) == (3, 44)
    assert (notes.lines, notes.words, notes.links, notes.definitions) == (1, 5, 0, 0)
    assert (module.lines, module.definitions) == (3, 2)
    assert sql.definitions == 2


def test_what_cannot_be_read_is_left_out_and_says_why(survey: Survey, folder: Path):
    (folder / "binary.txt").write_bytes(b"a\0b")
    (folder / "huge.txt").write_bytes(b" " * (flow.LARGEST_FILE + 1))
    (folder / "empty.txt").touch()
    (folder / "latin.txt").write_bytes(b"caf\xe9\n")
    counts = {each.file.path: each for each in count(survey)}
    assert counts["binary.txt"].left_out == "binary"
    assert counts["huge.txt"].left_out == "larger than 1 MB"
    assert counts["empty.txt"] == FileCounts(file=counts["empty.txt"].file)
    assert (counts["latin.txt"].words, counts["latin.txt"].left_out) == (1, None)
    gone = flow.read_file(SourceFile(path="gone.md", language="Markdown", size=1), survey)
    assert gone.left_out == "no such file or directory"


def test_totals_are_sums_over_what_was_read(survey: Survey, folder: Path):
    (folder / "binary.txt").write_bytes(b"a\0b")
    counts = count(survey)
    totals = flow.total_up(counts)
    assert list(totals.by_language) == ["Markdown", "Python", "SQL", "Text"]
    assert totals.all.files == 5
    assert totals.by_language["Python"].files == 2
    assert totals.by_language["Python"].lines == 5
    assert totals.all.words == sum(each.words for each in totals.by_language.values())
    assert [each.file.path for each in flow.rank_files(counts).left_out] == ["binary.txt"]


def test_totals_of_nothing_are_zero():
    assert flow.total_up([]).all.files == 0
    assert flow.rank_files([]).largest == []


def test_the_largest_files_come_first(survey: Survey):
    largest = flow.rank_files(count(survey)).largest
    assert [each.file.size for each in largest] == sorted(
        (each.file.size for each in largest), reverse=True
    )


def test_python_files_are_summed_up(survey: Survey):
    python = flow.sum_up_python(count(survey))
    assert (python.modules, python.tests) == (2, 1)
    assert python.lines_per_definition == pytest.approx(5 / 3)
    assert python.richest is not None
    assert python.richest.file.path == "src/a.py"


def test_python_files_of_which_none_can_be_read_fail_nothing():
    file = SourceFile(path="a.py", language="Python", size=1)
    python = flow.sum_up_python([FileCounts(file=file, left_out="binary")])
    assert (python.modules, python.richest) == (0, None)


def test_the_first_attempt_to_fetch_the_motto_fails_on_purpose():
    with pytest.raises(ConnectionError, match="on purpose"):
        flow.fetch_motto(context())
    assert flow.fetch_motto(context(attempt=2)).attempts == 2


def test_the_report_is_written_with_its_picture_beside_it(survey: Survey, tmp_path: Path):
    counts = count(survey)
    totals, ranking = flow.total_up(counts), flow.rank_files(counts)
    motto = flow.fetch_motto(context(attempt=2))
    flow.write_report(context(), survey, totals, ranking, None, motto)
    text = (tmp_path / "new" / "report.md").read_text()
    assert "| Python | 2 |" in text
    assert "## Python" not in text
    assert "(report.svg)" in text
    assert "skipped · no Python files" in (tmp_path / "new" / "report.svg").read_text()


def test_a_folder_without_end_is_read_up_to_a_limit_and_the_report_says_so(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_cli.demo.flow.MOST_FILES", 3)
    monkeypatch.setattr("pgflow_cli.demo.report.MOST_FILES", 3)
    counts = count(survey)
    assert len(counts) == 3
    motto = flow.fetch_motto(context(attempt=2))
    totals, ranking = flow.total_up(counts), flow.rank_files(counts)
    flow.write_report(context(), survey, totals, ranking, None, motto)
    assert "no more than 3 files" in (tmp_path / "new" / "report.md").read_text()
