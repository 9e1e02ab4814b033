"""The figures that the README shows, from the newest result file: `python website/tools/speed.py`.

It writes them into the README; a test tells when they are stale.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import figures

README = figures.ROOT / "README.md"
# What the README says, and where the bench has it.
ROWS = {
    "runs of one step, drained": ("W1", "pgflow"),
    "steps of chains of five, drained": ("W2", "pgflow"),
    "elements of a map of 10,000": ("W3", "pgflow, 10,000"),
    "runs started in bulk, on one connection": ("W6", "pgflow, in bulk"),
    "from a start to inside its handler, idle": ("W4", "pgflow, start to handler"),
    "a chain of five from start to end, idle": ("W4", "pgflow, chain of 5"),
    "from the commit of a change to its event, idle": ("W4", "pgflow, commit to event"),
}
TABLE = re.compile(r"(?<=\n\| \| \|\n\| --- \| ---: \|\n)(\| [^|]+ \| [\d.,]+ [a-z ]+ \|\n)+")
MEASURED = re.compile(r"measured on [\d-]+ by `uv run nox -s bench`")
FILE = re.compile(r"\(bench/results/[^)]+\)")
COMMIT = re.compile(r"A durable commit of one row took [\d.]+ ms")


def with_figures(text: str) -> str:
    """Return the README with the figures of the newest result file."""
    path = figures.newest()
    result: dict[str, Any] = json.loads(path.read_text())
    found = result["workloads"]
    commit = found["W4"]["durable commit of one row"]["value"]
    for pattern, words in (
        (TABLE, "".join(row(label, found[key][name]) for label, (key, name) in ROWS.items())),
        (MEASURED, f"measured on {result['measured_at'][:10]} by `uv run nox -s bench`"),
        (FILE, f"(bench/results/{path.name})"),
        (COMMIT, f"A durable commit of one row took {commit:.1f} ms"),
    ):
        text, count = pattern.subn(words, text)
        if count != 1:
            raise ValueError(f"the README has no place for {words!r}")
    return text


def row(label: str, figure: dict[str, Any]) -> str:
    """Return a row: a latency as it is, a rate in three digits that mean something."""
    value = figure["value"]
    if figure["unit"] == "ms":
        return f"| {label} | {value:.1f} ms |\n"
    return f"| {label} | {float(f'{value:.3g}'):,.0f} a second |\n"


if __name__ == "__main__":
    README.write_text(with_figures(README.read_text()))
