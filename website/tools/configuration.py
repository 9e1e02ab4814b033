"""The page of all that can be set: options by their docstrings, and environment variables."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from pgflow_client import AsyncClient
from pgflow_dsl import Flow, FlowOptions, StepOptions
from pgflow_worker import WorkerOptions

ROOT = Path(__file__).parents[2]
VARIABLES = {
    "PGFLOW_DATABASE_URL": "The database of commands, before `DATABASE_URL`.",
    "DATABASE_URL": "The database of commands; without it they use the embedded one.",
    "PGFLOW_HOME": "Folder of the embedded server's data, in place of the project's `.pgflow`.",
    "PGFLOW_PG_BIN": "Folder of PostgreSQL's programs for the embedded server.",
    "PGFLOW_UI_TOKEN": "The token that visitors of the dashboard show.",
    "PGFLOW_DEBUG": "`1`: errors of the command come with their traceback.",
    "PGFLOW_TEST_DATABASE_URL": "Server on which the fixture `pgflow_database` makes databases.",
    "NO_COLOR": "Whatever its value: no colours.",
}
# Two that no user sets: a child's socket, and what the shell's completion asks by.
OWN = {"PGFLOW_PARENT_FD", "PGFLOW_COMPLETE"}


def page() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# Configuration",
            "",
            "There is no file of settings: what is set is set where it is used, in Python, as an "
            "option of a [command](commands.md), or by an environment variable.",
            "",
            "## Flows and steps",
            "",
            "`Flow(...)` takes these for all its steps, and `@flow.step(...)`, `@flow.map(...)` "
            "and `@job(...)` for theirs. Where neither says anything, defaults hold.",
            "",
            *table(described(FlowOptions, "Attributes")),
            "",
            "Steps take these besides:",
            "",
            *table(step_options()),
            "",
            "## Workers",
            "",
            "`Worker(flows, url, WorkerOptions(...))`; `pgflow worker` has [options of these "
            "names](commands.md#pgflow-worker).",
            "",
            *table(described(WorkerOptions, "Attributes"), defaults(WorkerOptions)),
            "",
            "## Clients",
            "",
            "`AsyncClient(...)` and `Client(...)`:",
            "",
            *table(described(AsyncClient.__init__, "Args"), signature(AsyncClient.__init__)),
            "",
            "`start_flow(...)`; `send` and `start_flows` take the same, and SQL's `start_flow` "
            "[has them](sql-functions.md#start_flow), too:",
            "",
            *table(described(AsyncClient.start_flow, "Args")),
            "",
            "## Environment",
            "",
            *table(environment()),
        ]
    )


def step_options() -> dict[str, str]:
    """Return what only steps take."""
    said = described(StepOptions, "Attributes") | described(Flow.step, "Args")
    # The docstring speaks of them in one sentence.
    said["slug, after, executor, transactional, ..."] = said.pop("options")
    del said["fn"]
    return said


def environment() -> dict[str, str]:
    """Return the environment variables; every one that the sources read has to be described."""
    sources = "".join(path.read_text() for path in ROOT.glob("pkgs/*/src/**/*.py"))
    read = set(re.findall(r"\bPGFLOW_[A-Z_]+\b", sources)) - OWN
    if missing := read - VARIABLES.keys():
        raise ValueError(f"website/tools/configuration.py does not describe {sorted(missing)}")
    return VARIABLES


def described(thing: Callable[..., Any], section: str) -> dict[str, str]:
    """Return what a docstring says of each name in one of its sections.

    Raises:
        ValueError: There is no such section.
    """
    text = inspect.getdoc(thing) or ""
    found = re.search(rf"^{section}:\n((?: {{4}}.*\n?|\n)+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{thing.__qualname__} has no section {section}")
    entries = re.split(r"^ {4}(?=\w+:)", found[1], flags=re.MULTILINE)
    named = [entry.partition(":") for entry in entries if entry.strip()]
    return {name.strip(): " ".join(words.split()) for name, _, words in named}


def defaults(kind: type[Any]) -> dict[str, Any]:
    """Return the defaults of a dataclass."""
    return {each.name: each.default for each in fields(kind) if each.default is not MISSING}


def signature(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of a function's parameters."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def table(said: Mapping[str, str], default: Mapping[str, Any] | None = None) -> list[str]:
    """Return a table of names, defaults where they are known, and what is said of each."""
    if default is None:
        rows = [f"| `{name}` | {cell(words)} |" for name, words in said.items()]
        return ["| name | what it says |", "| --- | --- |", *rows]
    rows = [
        f"| `{name}` | {spelt(default[name]) if name in default else ''} | {cell(words)} |"
        for name, words in said.items()
    ]
    return ["| name | default | what it says |", "| --- | --- | --- |", *rows]


def spelt(value: Any) -> str:
    """Write a default as people would."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return f"`{value!r}`"


def cell(text: str) -> str:
    """Keep a text within its cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
