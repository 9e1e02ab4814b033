"""The page of the data model: which tables there are, and whose rows belong to whose."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "pkgs/core-sql/src/pgflow_core_sql/sql/migrations"
TABLE = re.compile(
    r"^create (?:unlogged )?table pgflow\.(\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL
)
COMMENT = re.compile(r"^comment on table pgflow\.(\w+) is\s+((?:'(?:[^']|'')*'\s*)+);", re.M)
# What keys do not tell: an item is one of its stream, whether or not its attempt has failed.
OWNERS = {"stream_items": "streams"}
# The migrator's own.
HIDDEN = {"schema_migrations"}


@dataclass(slots=True)
class Table:
    """A table.

    Attributes:
        name: Its name.
        key: The columns of its primary key.
        comment: What the database says about it.
        rows_below: Tables whose keys begin with, or contain, the key of this one.
    """

    name: str
    key: tuple[str, ...]
    comment: str
    rows_below: list["Table"] = field(default_factory=list["Table"])


def page() -> str:
    """Return the page."""
    found = tables()
    tops = [table for table in found if owner(table, found) is None]
    width = max(len(line) for line, _ in drawn(tops))
    return "\n".join(
        [
            "# Data model",
            "",
            "The tables of the schema `pgflow`, and their keys. A table below another has that "
            "one's key within its own: its rows belong to one of the other's.",
            "",
            "```text",
            *(f"{line:<{width}}  {', '.join(table.key)}" for line, table in drawn(tops)),
            "```",
            "",
            "- Definitions have the flow's slug in their key, and foreign keys.",
            "- What happens has the run's id in front. Ids of runs are UUIDv7: ordered by time.",
            "- There are no foreign keys between what happens: functions are the only writers.",
            "- `step_tasks` is the queue. What a worker holds is named by its `last_worker_id`.",
            "- Outputs are in `step_states`, and in `step_tasks` for the elements of a map.",
            "",
            "| table | what it holds |",
            "| --- | --- |",
            *(f"| [`{each.name}`](tables.md#{each.name}) | {each.comment} |" for each in found),
        ]
    )


def tables() -> list[Table]:
    """Read the tables from the migrations, in their order."""
    text = "\n".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    comments = {
        name: "".join(re.findall(r"'((?:[^']|'')*)'", words)).replace("''", "'")
        for name, words in COMMENT.findall(text)
    }
    made = [
        Table(name, key_of(body), comments[name])
        for name, body in TABLE.findall(text)
        if name not in HIDDEN
    ]
    for table in made:
        above = owner(table, made)
        if above is not None:
            above.rows_below.append(table)
    return made


def key_of(body: str) -> tuple[str, ...]:
    """Find the primary key in the body of a `create table`.

    Raises:
        ValueError: There is none.
    """
    if several := re.search(r"^\s+primary key \(([^)]+)\)", body, re.MULTILINE):
        return tuple(several[1].split(", "))
    if one := re.search(r"^\s+(\w+) .*\bprimary key\b", body, re.MULTILINE):
        return (one[1],)
    raise ValueError(f"no primary key in {body}")


def owner(table: Table, all_tables: list[Table]) -> Table | None:
    """Find the table whose rows this one's belong to: the one with the most of its key."""
    if table.name in OWNERS:
        return next(each for each in all_tables if each.name == OWNERS[table.name])
    before = all_tables[: all_tables.index(table)]
    fitting = [each for each in before if set(each.key) <= set(table.key)]
    return max(fitting, key=lambda each: len(each.key), default=None)


def drawn(level: list[Table], lead: str = "") -> Iterator[tuple[str, Table]]:
    """Draw tables as a tree."""
    for place, table in enumerate(level, 1):
        last = place == len(level)
        if not lead:
            yield table.name, table
            yield from drawn(table.rows_below, " ")
        else:
            yield f"{lead}{'╰' if last else '├'}─ {table.name}", table
            yield from drawn(table.rows_below, f"{lead}{' ' if last else '│'}   ")
