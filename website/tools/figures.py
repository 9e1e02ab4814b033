"""The page of figures: tables and plots of the newest result file of the bench."""

import json
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results"
WIDTH, BAR, ROW = 480, 16, 42
PEERS = ("DBOS", "pgqueuer", "absurd", "procrastinate", "raw limit", "bare")
TITLES = {
    "W1": "Runs of one step, drained",
    "W2": "Steps of chains of five, drained",
    "W3": "Elements of a map, by workers that have served others before",
    "W4": "Latencies, idle",
    "W5": "Runs of one step, beside other things",
    "W6": "Starts",
    "W7": "Tasks by number of workers that were there before, and with handlers that do something",
    "W8": "A chain of five under a steady load",
    "W9": "Large values",
    "W10": "Items of streams",
    "W11": "From emitting an item to its reader",
    "W12": "What streams cost where nothing is emitted",
    "W13": "Wide and deep flows",
    "W14": "A small run beside a large map",
    "W15": "Pruning",
    "W16": "Cancelling",
    "W17": "Several databases on one server behind one client",
}

Row: TypeAlias = tuple[str, float, str, tuple[float, float] | None]


def newest() -> Path:
    """Find the newest result file; they are named for their day."""
    return max(RESULTS.glob("20*.json"), key=lambda path: path.name)


def pages() -> dict[str, str]:
    """Return the tables as a page to be included, and a plot for each group."""
    path = newest()
    result: dict[str, Any] = json.loads(path.read_text())
    server = result.get("postgresql") or result.get("server") or "of the file"
    out = [
        f"Measured on {result['measured_at'][:10]} on {result['cpus']} CPUs with Python "
        f"{result['python']} and PostgreSQL {server}, by `uv run nox -s bench`; all figures are in "
        f"`bench/results/{path.name}`.",
        "",
    ]
    made: dict[str, str] = {}
    for number, (title, rows) in enumerate(groups(result)):
        name = f"figures-{number}.svg"
        made[name] = plot(title, rows)
        out += [f"### {title}", "", f"![{title}]({name})", "", *table(rows), ""]
    return {"figures.md": "\n".join(["# All figures", *out]), **made}


def groups(result: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each group, of either form that a result file has had."""
    if "workloads" in result:
        return [
            (TITLES.get(group, group), [row_of(label, each) for label, each in labels.items()])
            for group, labels in result["workloads"].items()
            if labels
        ]
    by_unit: dict[str, list[Row]] = {}
    for label, each in result["figures"].items():
        kind = "Latencies, in ms" if each["unit"] == "ms" else f"Rates, in {each['unit']}"
        spread = (min(each["all"]), max(each["all"])) if each.get("all") else None
        by_unit.setdefault(kind, []).append((label, each["median"], each["unit"], spread))
    return list(by_unit.items())


def row_of(label: str, each: dict[str, Any]) -> Row:
    """Return the row of one label."""
    low, high = each["spread"]
    return label, each["value"], each["unit"], (low, high)


def table(rows: list[Row]) -> list[str]:
    """Return a Markdown table."""
    out = ["| | value | unit | spread |", "| --- | ---: | --- | ---: |"]
    for label, value, unit, spread in rows:
        span = f"{number(spread[0])} to {number(spread[1])}" if spread else ""
        out.append(f"| {label} | {number(value)} | {unit} | {span} |")
    return out


def plot(title: str, rows: list[Row]) -> str:
    """Draw bars, each below its name, so that a phone shows them; all have one scale."""
    largest = max(row[1] for row in rows) or 1
    height = ROW * len(rows) + 6
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13"><title>{escape(title)}</title>'
    ]
    for place, (label, value, unit, _) in enumerate(rows):
        top = ROW * place
        length = max(2.0, (WIDTH - 140) * value / largest)
        colour = "#4f7fd9" if not label.startswith(PEERS) else "#9aa3b2"
        out += [
            f'<text x="0" y="{top + 15}" fill="#6f7a8c">{escape(label)}</text>',
            f'<rect x="0" y="{top + 21}" width="{length:.1f}" height="{BAR}" rx="3" '
            f'fill="{colour}"/>',
            f'<text x="{length + 6:.1f}" y="{top + 34}" fill="#6f7a8c">'
            f"{number(value)} {escape(unit)}</text>",
        ]
    return "\n".join([*out, "</svg>"])


def number(value: float) -> str:
    """Write a number with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:,.3f}"
