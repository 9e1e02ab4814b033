"""Pages of reference, made of what stands in the sources: SQL headers, comments, help, errors."""

import re
from pathlib import Path

import click
import configuration
import model
from pgflow_cli.app import main as app
from pgflow_client import CoreError

ROOT = Path(__file__).parents[2]
SQL = ROOT / "pkgs/core-sql/src/pgflow_core_sql/sql"
FAMILIES = {
    "define": "Define flows",
    "run": "Start and steer runs",
    "task": "Claim and report tasks",
    "stream": "Streams",
    "worker": "Workers",
    "event": "Events",
    "admin": "Look after the database",
}
SIGNATURE = re.compile(
    r"^create or replace function (pgflow\.\w+\(.*?\)\n?returns .*?)\nlanguage", re.S | re.M
)
COMMENT = re.compile(
    r"^comment on (table|view|column) (pgflow\.[\w.]+) is\s+((?:'(?:[^']|'')*'\s*)+);", re.M
)


def pages() -> dict[str, str]:
    """Return the pages by file name."""
    return {
        "sql-functions.md": sql_functions(),
        "tables.md": tables(),
        "errors.md": errors(),
        "commands.md": commands(),
        "configuration.md": configuration.page(),
        "data-model.md": model.page(),
    }


def header_of(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a header comment into what it says first and its named parts.

    Raises:
        ValueError: There is no header.
    """
    lines = [line[2:].removeprefix(" ") for line in text.splitlines() if line.startswith("--")]
    head = "\n".join(lines)
    if not head:
        raise ValueError("a function has no header comment")
    first, *rest = re.split(
        r"^(Parameters|Returns|Errors|Locks|Writes|Calls|Idempotent):", head, flags=re.M
    )
    return first.strip(), list(zip(rest[::2], map(str.strip, rest[1::2]), strict=True))


def sql_functions() -> str:
    """Describe every public SQL function by its header comment."""
    words = "Every public function of the schema `pgflow`, as its source describes it."
    out = ["# SQL functions", words, ""]
    for family, title in FAMILIES.items():
        out += [f"## {title}", ""]
        for path in sorted((SQL / "functions" / family).glob("[!_]*.sql")):
            out += describe_function(path)
    return "\n".join(out)


def describe_function(path: Path) -> list[str]:
    """Describe one function."""
    text = path.read_text()
    signature = SIGNATURE.search(text)
    if signature is None:
        raise ValueError(f"{path.name} has no signature that can be read")
    first, parts = header_of(text.partition("create or replace function")[0])
    out = [f"### {path.stem}", "", "```sql", signature[1], "```", "", prose(first), ""]
    for name, body in parts:
        out += part(name, body)
    return [*out, ""]


def part(name: str, body: str) -> list[str]:
    """Write one part of a header: parameters as a list, others as a sentence."""
    if name != "Parameters":
        return [f"**{name}:** {prose(body)}", ""]
    entries = re.split(r"^ {2}(?=[a-z_][\w, ]*:)", f"  {body}", flags=re.M)
    listed = [entry.partition(":") for entry in entries if entry.strip()]
    return [*(f"- `{who.strip()}`: {prose(what)}" for who, _, what in listed), ""]


def prose(text: str) -> str:
    """Join the lines of each paragraph; what may be read as markup is kept as it is."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(escape(" ".join(each.split())) for each in paragraphs)


def escape(text: str) -> str:
    """Keep words with underscores, and what looks like HTML, from being read as markup."""
    text = text.replace("<", "&lt;")
    return re.sub(r"(?<![`\w])(\w*_\w*)(?![`\w])", r"`\1`", text)


def tables() -> str:
    """Describe tables, views and their columns by their comments."""
    found: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}
    for path in [*sorted(SQL.glob("migrations/*.sql")), *sorted(SQL.glob("views/*.sql"))]:
        for kind, name, words in COMMENT.findall(path.read_text()):
            comment = "".join(re.findall(r"'((?:[^']|'')*)'", words)).replace("''", "'")
            if kind == "column":
                table, _, column = name.rpartition(".")
                found[table][2].append((column, comment))
            else:
                found[name] = (kind, comment, [])
    out = [
        "# Tables and views",
        "What the database holds, as its comments say. Functions alone write to tables.",
        "",
    ]
    for name, (kind, comment, columns) in found.items():
        out += [f"## {name.removeprefix('pgflow.')}", "", f"A {kind}. {escape(comment)}", ""]
        out += ["| column | what it is |", "| --- | --- |"]
        out += [f"| `{column}` | {cell(escape(words))} |" for column, words in columns]
        out += [""]
    return "\n".join(out)


def cell(text: str) -> str:
    """Keep a text within its cell of a table."""
    return text.replace("|", "\\|")


def errors() -> str:
    """List the errors that SQL raises, by SQLSTATE, with the functions that name them."""
    out = [
        "# Errors by SQLSTATE",
        "Errors that pgflow raises in SQL have a state of class `PF`, a message, a hint where "
        "there is something to do, and a detail that names the flow, run or step. In Python each "
        "is a class of `pgflow_client`.",
        "",
        "| state | class | meaning | named by |",
        "| --- | --- | --- | --- |",
    ]
    for kind in sorted(CoreError.__subclasses__(), key=lambda each: each.sqlstate):
        names = [
            f"`{path.stem}`"
            for path in sorted((SQL / "functions").glob("*/[!_]*.sql"))
            if kind.sqlstate in path.read_text()
        ]
        words = " ".join((kind.__doc__ or "").split())
        out.append(f"| `{kind.sqlstate}` | `{kind.__name__}` | {words} | {', '.join(names)} |")
    return "\n".join(out)


def commands() -> str:
    """Show the help of every command, as the command itself prints it."""
    out = ["# Commands", "What `--help` says.", ""]

    def show(command: click.Command, names: tuple[str, ...], depth: int) -> None:
        context = click.Context(command, info_name=" ".join(names), max_content_width=80)
        out.extend(
            [
                f"{'#' * depth} {' '.join(names)}",
                "",
                "```text",
                command.get_help(context),
                "```",
                "",
            ]
        )
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                if (found := command.get_command(context, name)) is not None:
                    show(found, (*names, name), 2 if depth < 3 and len(names) == 1 else 3)

    show(getattr(app, "command", app), ("pgflow",), 2)
    return "\n".join(out)
