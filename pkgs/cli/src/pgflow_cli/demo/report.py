"""The demo's report, as Markdown."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from pgflow_cli.demo.files import MOST_FILES, to_path, to_show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from uuid import UUID

    from pgflow_cli.demo.flow import (
        FileCounts,
        LanguageTotals,
        Motto,
        PythonSummary,
        Ranking,
        Survey,
        Totals,
    )

LEFT_OUT_SHOWN = 20


def picture_of(report: Path) -> Path:
    """Tell where the picture of a report is: beside it, under the same name."""
    return report.with_suffix(".svg")


def render_report(
    survey: Survey,
    run_id: UUID,
    totals: Totals,
    ranking: Ranking,
    python: PythonSummary | None,
    motto: Motto,
) -> str:
    """Write what was found as Markdown, with the flow's picture beside it."""
    parts = [
        f"# What is in {_code(to_show(survey.folder))}",
        f"{summary(totals.all)}.",
        *_limit(totals.all.files + len(ranking.left_out)),
        _languages(totals),
        "## Largest files",
        _files(ranking.largest, "size", lambda each: size(each.file.size)),
        "## Longest lines",
        _files(
            ranking.longest_lines,
            "characters",
            lambda each: f"{each.longest_line:,} in line {each.longest_line_at:,}",
        ),
    ]
    if python is not None:
        parts += ["## Python", _python(python)]
    if ranking.left_out:
        parts += ["## Left out", _left_out(ranking.left_out)]
    picture = quote_from_bytes(os.fsencode(picture_of(to_path(survey.report)).name))
    parts += [
        "## How it was made",
        f"![The steps of the flow, coloured by status]({picture})",
        f"Run `{run_id}` of flow `pgflow_demo`. Its step `fetch_motto` failed once on purpose and "
        f"was tried again; attempt {motto.attempts} returned:",
        f"> {motto.text}",
    ]
    return "\n\n".join(parts) + "\n"


def summary(totals: LanguageTotals) -> str:
    """Write the sums over all files as a line of text."""
    counted = {
        "file": totals.files,
        "line": totals.lines,
        "word": totals.words,
        "link": totals.links,
        "definition": totals.definitions,
    }
    return ", ".join(count(number, noun) for noun, number in counted.items())


def count(number: int, noun: str) -> str:
    """Write a number with what it counts, such as "1 file" or "2,500 files"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(octets: int) -> str:
    """Write a size in bytes for people, such as "950 B" or "1.2 MB"."""
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1e3:.1f} kB" if octets < 999_950 else f"{octets / 1e6:,.1f} MB"


def _limit(files: int) -> list[str]:
    if files < MOST_FILES:
        return []
    return [f"There may be more: the demo reads no more than {MOST_FILES:,} files."]


def _languages(totals: Totals) -> str:
    rows = [*sorted(totals.by_language.items(), key=lambda each: -each[1].lines)]
    if len(rows) > 1:
        rows.append(("**all**", totals.all))
    return _table(
        ("language", "files", "size", "lines", "words", "links", "definitions"),
        [
            (
                name,
                f"{each.files:,}",
                size(each.size),
                f"{each.lines:,}",
                f"{each.words:,}",
                f"{each.links:,}",
                f"{each.definitions:,}",
            )
            for name, each in rows
        ],
    ) + (
        "\n\nDefinitions are functions and classes in Python, `create` statements in SQL, and "
        "headings in Markdown."
    )


def _files(files: list[FileCounts], measure: str, value: Callable[[FileCounts], str]) -> str:
    rows = [(_code(to_show(each.file.path)), value(each), f"{each.lines:,}") for each in files]
    return _table(("file", measure, "lines"), rows)


def _python(python: PythonSummary) -> str:
    text = f"{count(python.modules, 'module')}, {python.tests:,} of them tests"
    if python.richest is None:
        return f"{text}."
    return (
        f"{text}; a definition every {python.lines_per_definition:.0f} lines. Most definitions: "
        f"{_code(to_show(python.richest.file.path))}, with {python.richest.definitions:,}."
    )


def _left_out(files: list[FileCounts]) -> str:
    lines = [
        f"- {_code(to_show(each.file.path))}: {each.left_out}" for each in files[:LEFT_OUT_SHOWN]
    ]
    if len(files) > LEFT_OUT_SHOWN:
        lines.append(f"- and {len(files) - LEFT_OUT_SHOWN:,} more")
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    # The first column is a name, the others are numbers.
    rule = ("---", *["---:"] * (len(head) - 1))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _code(text: str) -> str:
    """Show a name as it is, whatever it holds, also in a cell of a table."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    inner = f" {text} " if text[:1] in "` " or text[-1:] in "` " else text
    return f"{fence}{inner}{fence}".replace("|", "\\|")
