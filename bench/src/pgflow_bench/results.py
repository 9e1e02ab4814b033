"""Turning outcomes into figures, tables and a file."""

import json
import math
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pgflow_bench.conversation import Outcome
from pgflow_bench.plan import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one measurement came to, over its repeats.

    Attributes:
        value: Median of the rates, or of all latencies.
        spread: Smallest and largest of the repeats' medians.
        detail: Further figures by name, medians over the repeats.
    """

    value: float
    spread: tuple[float, float]
    detail: dict[str, float]


def figure_of(measurement: Measurement, outcomes: Sequence[Outcome]) -> Figure:
    """Return the figure of a measurement's repeats."""
    if measurement.unit == "ms":
        each = [statistics.median(outcome.figures["latencies_ms"]) for outcome in outcomes]
        every = sorted(
            latency for outcome in outcomes for latency in outcome.figures["latencies_ms"]
        )
        detail = {"p99_ms": every[math.ceil(0.99 * len(every)) - 1]}
        detail |= _further(outcomes)
    else:
        each = [outcome.figures["units"] / outcome.figures["seconds"] for outcome in outcomes]
        detail = _per_unit(outcomes)
    detail["peak_memory_mb"] = max(outcome.figures["peak_memory_mb"] for outcome in outcomes)
    return Figure(value=statistics.median(each), spread=(min(each), max(each)), detail=detail)


def _further(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the medians of what an adapter tells beyond its latencies."""
    known = {"latencies_ms", "client_cpu_seconds", "peak_memory_mb"}
    names = outcomes[0].figures.keys() - known
    return {
        name: statistics.median(outcome.figures[name] for outcome in outcomes)
        for name in sorted(names)
    }


def _per_unit(outcomes: Sequence[Outcome]) -> dict[str, float]:
    def median(of: str, per: Any) -> float:
        return statistics.median(per(each) / each.figures["units"] for each in outcomes)

    return {
        "client_cpu_us": 1e6 * median("client", lambda each: each.figures["client_cpu_seconds"]),
        "database_cpu_us": 1e6 * median("database", lambda each: each.database.cpu_seconds),
        "wal_bytes": median("wal", lambda each: each.database.wal_bytes),
        "commits": median("commits", lambda each: each.database.commits),
        "fsyncs": median("fsyncs", lambda each: each.database.fsyncs),
    }


def table_of(rows: Mapping[Measurement, Figure]) -> str:
    """Return a group's figures as a Markdown table; per-unit costs stand beside rates."""
    is_rate = any("wal_bytes" in figure.detail for figure in rows.values())
    columns = ["client_cpu_us", "database_cpu_us", "wal_bytes", "commits", "fsyncs"]
    if not is_rate:
        columns = ["p99_ms", *_told_further(rows.values())]
    columns.append("peak_memory_mb")
    unit = next(iter(rows)).unit
    lines = [
        f"| | {unit} | spread | "
        + " | ".join(column.replace("_", " ") for column in columns)
        + " |",
        "| --- |" + " ---: |" * (len(columns) + 2),
    ]
    for measurement, figure in rows.items():
        low, high = figure.spread
        cells = [measurement.label, _number(figure.value), f"{_number(low)} to {_number(high)}"]
        cells += [
            _number(figure.detail[column]) if column in figure.detail else "" for column in columns
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _told_further(figures: Iterable[Figure]) -> list[str]:
    """Name what adapters tell beyond their latencies, each once."""
    told = dict.fromkeys(name for figure in figures for name in figure.detail)
    return [name for name in told if name not in ("p99_ms", "peak_memory_mb")]


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 1 else f"{value:,.3f}"


def document(figures: Mapping[Measurement, Figure], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result file: {"workloads": {"W1": {"pgflow": {"value", "unit", …}}}, …}."""
    workloads: dict[str, dict[str, Any]] = {}
    for measurement, figure in figures.items():
        workloads.setdefault(measurement.group, {})[measurement.label] = {
            "value": figure.value,
            "unit": measurement.unit,
            "spread": list(figure.spread),
            **figure.detail,
        }
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        **settings,
        "workloads": workloads,
    }


def to_text(result: Mapping[str, Any]) -> str:
    """Return a result file's text."""
    return json.dumps(result, indent=2) + "\n"
