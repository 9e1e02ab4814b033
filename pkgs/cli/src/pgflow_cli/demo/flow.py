"""The demo's flow: list a folder's files, count what is in each, and write a report.

A flow is a DAG of ordinary functions. The default of a parameter is an edge: `list_files.output`
means "give me what list_files returned". Type checkers see the values' own types, so a wrong wire
is an error before anything runs, and each function can be called as it is, in a plain unit test.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import islice
from pathlib import Path

from pgflow_dsl import Context, Flow
from pydantic import BaseModel

from pgflow_cli.demo.counting import count_definitions, count_links, longest_line
from pgflow_cli.demo.files import MOST_FILES, find_files, language_of, to_path, to_text
from pgflow_cli.demo.picture import draw_picture
from pgflow_cli.demo.report import picture_of, render_report
from pgflow_cli.demo.state import all_done

LARGEST_FILE = 1_000_000
LARGEST_SHOWN = 8


class Survey(BaseModel):
    """What a run starts with. Both paths are absolute, written by `files.to_text`."""

    folder: str
    report: str


class SourceFile(BaseModel):
    """A file that was found; its path is relative to the folder."""

    path: str
    language: str
    size: int


class FileCounts(BaseModel):
    """What was counted in one file. `left_out` is the reason why nothing could be."""

    file: SourceFile
    lines: int = 0
    words: int = 0
    links: int = 0
    definitions: int = 0
    longest_line: int = 0
    longest_line_at: int = 0
    left_out: str | None = None


class LanguageTotals(BaseModel):
    """Sums over the files of one language, or over all files."""

    files: int = 0
    size: int = 0
    lines: int = 0
    words: int = 0
    links: int = 0
    definitions: int = 0


class Totals(BaseModel):
    """Sums over everything that was read, in all and by language."""

    all: LanguageTotals
    by_language: dict[str, LanguageTotals]


class Ranking(BaseModel):
    """The files that stand out, and those that could not be read."""

    largest: list[FileCounts]
    longest_lines: list[FileCounts]
    left_out: list[FileCounts]


class PythonSummary(BaseModel):
    """What only Python files have."""

    modules: int
    tests: int
    lines_per_definition: float
    richest: FileCounts | None


class Motto(BaseModel):
    """A line for the end of the report, and how many attempts it took to get it."""

    text: str
    attempts: int


# The input's type is checked when a run is started; options are what all steps start from.
demo = Flow("pgflow_demo", input=Survey, max_attempts=3, timeout=timedelta(minutes=2))


@demo.step
def list_files(survey: Survey = demo.input) -> list[SourceFile]:
    """Find the text, Markdown, Python and SQL files of the folder."""
    folder = to_path(survey.folder)
    return [
        SourceFile(
            path=to_text(Path(entry.path).relative_to(folder)),
            language=language_of(entry.name) or "Text",
            size=entry.stat(follow_symlinks=False).st_size,
        )
        for entry in islice(find_files(folder), MOST_FILES)
    ]


# A map runs once for each element, on all workers that there are. Its output is the list of
# results, in order. What else it takes, here the flow's input, goes to every element.
@demo.map(over=list_files.output)
def read_file(file: SourceFile, survey: Survey = demo.input) -> FileCounts:
    """Count what is in one file."""
    if file.size > LARGEST_FILE:
        return FileCounts(file=file, left_out=f"larger than {LARGEST_FILE // 1_000_000} MB")
    try:
        data = (to_path(survey.folder) / to_path(file.path)).read_bytes()
    except OSError as error:
        return FileCounts(file=file, left_out=(error.strerror or "not readable").lower())
    if b"\0" in data:
        return FileCounts(file=file, left_out="binary")
    text = data.decode(errors="replace")
    lines = text.splitlines()
    number, length = longest_line(lines)
    return FileCounts(
        file=file,
        lines=len(lines),
        words=len(text.split()),
        links=count_links(text),
        definitions=count_definitions(text, file.language),
        longest_line=length,
        longest_line_at=number,
    )


@demo.step
def total_up(counts: list[FileCounts] = read_file.output) -> Totals:
    """Add it all up, by language."""
    by_language: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in counts:
        if each.left_out is None:
            sums = {"files": 1, "size": each.file.size} | each.model_dump(
                include={"lines", "words", "links", "definitions"}
            )
            by_language[each.file.language].update(sums)
    in_all = sum(by_language.values(), Counter[str]())
    return Totals(
        all=LanguageTotals(**in_all),
        by_language={name: LanguageTotals(**by_language[name]) for name in sorted(by_language)},
    )


@demo.step
def rank_files(counts: list[FileCounts] = read_file.output) -> Ranking:
    """Find the files that stand out."""
    read = [each for each in counts if each.left_out is None]
    by_size = sorted(read, key=lambda each: each.file.size, reverse=True)
    by_longest_line = sorted(read, key=lambda each: each.longest_line, reverse=True)
    return Ranking(
        largest=by_size[:LARGEST_SHOWN],
        longest_lines=by_longest_line[:LARGEST_SHOWN],
        left_out=[each for each in counts if each.left_out is not None],
    )


# A condition is a JSON pattern that has to be part of what a step returned: here, that at least
# one of the files is Python. Where there is none the step is skipped, and dependents get None.
@demo.step(when={list_files: [{"language": "Python"}]})
def sum_up_python(counts: list[FileCounts] = read_file.output) -> PythonSummary:
    """Look closer at Python files."""
    modules = [each for each in counts if each.file.language == "Python" and each.left_out is None]
    definitions = sum(each.definitions for each in modules)
    return PythonSummary(
        modules=len(modules),
        tests=sum(Path(each.file.path).name.startswith("test_") for each in modules),
        lines_per_definition=sum(each.lines for each in modules) / max(definitions, 1),
        richest=max(modules, key=lambda each: each.definitions, default=None),
    )


# Any exception makes an attempt fail, and the task is tried again after a delay that doubles,
# here up to one second. A parameter of type Context tells a handler about its task.
@demo.step(max_delay=timedelta(seconds=1))
def fetch_motto(ctx: Context) -> Motto:
    """Stand in for a service that is down at times: the first attempt fails on purpose."""
    if ctx.attempt == 1:
        raise ConnectionError("the first attempt fails on purpose, to show a retry")
    return Motto(text="What is written down can be picked up again.", attempts=ctx.attempt)


@demo.step
def write_report(
    ctx: Context,
    survey: Survey = demo.input,
    totals: Totals = total_up.output,
    ranking: Ranking = rank_files.output,
    python: PythonSummary | None = sum_up_python.output,
    motto: Motto = fetch_motto.output,
) -> str:
    """Write the report with its picture beside it, and return where it is."""
    path = to_path(survey.report)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = render_report(survey, ctx.run_id, totals, ranking, python, motto)
    path.write_text(text, encoding="utf-8")
    steps = all_done(demo, skipped=[sum_up_python] if python is None else [])
    picture_of(path).write_text(draw_picture(demo, steps), encoding="utf-8")
    return survey.report
