"""`pgflow doctor`: what is wrong with a database, and what to do about it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from pgflow_cli.options import as_json, database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pgflow_cli.doctor import Finding

_MARKS: Final = {
    "good": ("✓", "green"),
    "note": ("·", "cyan"),
    "warning": ("!", "yellow"),
    "bad": ("✕", "red"),
}
_WIDTH: Final = 14


@click.command()
@click.option("--quiet", is_flag=True, help="Show only what is not as it should be.")
@database_url
@as_json
def doctor(*, quiet: bool, database_url: str | None, as_json: bool) -> int:
    """Look for what is wrong with a database, or may become so, and say what to do about it.

    It looks at the connection, the user's rights, the schema and its indexes, long transactions,
    bloat, clocks, poolers, notifications, workers and queues, and changes nothing.

    The exit code is 3 where something should be done.
    """
    from pgflow_cli.database import connect
    from pgflow_cli.doctor import examine
    from pgflow_cli.printing import print_json
    from pgflow_cli.ready import reached_database, telling_of
    from pgflow_cli.reporting import PENDING

    database = reached_database(database_url)
    findings: list[Finding] = []
    with telling_of(database), connect(database.url) as conn:
        for finding in examine(conn):
            findings.append(finding)
            if not as_json and not (quiet and finding.severity == "good"):
                for line in _lines(finding):
                    click.echo(line)
    serious = [each for each in findings if each.severity in ("warning", "bad")]
    if as_json:
        print_json([asdict(each) for each in findings])
    elif serious:
        click.echo(f"\n{len(serious)} {'finding' if len(serious) == 1 else 'findings'} to act on.")
    else:
        click.echo("\nAll is well." if not quiet else "All is well.")
    return PENDING if serious else 0


def _lines(finding: Finding) -> Iterator[str]:
    from pgflow_cli.printing import paint

    mark, color = _MARKS[finding.severity]
    first, *more = _wrapped(finding.says, _WIDTH + 3)
    yield f"{paint(mark, color)} {finding.subject:<{_WIDTH}} {first}"
    yield from (f"{'':<{_WIDTH + 3}}{line}" for line in more)
    if finding.advice is not None:
        first, *more = _wrapped(finding.advice, _WIDTH + 5)
        yield f"  {'':<{_WIDTH}} {paint('→', color)} {first}"
        yield from (f"{'':<{_WIDTH + 5}}{line}" for line in more)


def _wrapped(text: str, indent: int) -> list[str]:
    """Break a text where the terminal would, behind an indent; in a pipe it is one line."""
    if not sys.stdout.isatty():
        return [text]
    room = max(20, shutil.get_terminal_size().columns - indent)
    # What people copy, such as a statement, stays whole.
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return lines or [""]
