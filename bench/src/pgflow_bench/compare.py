"""A guard against getting slower: ratios of one result beside those of another, never times."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Whose figure of the same run ours are divided by; machines differ, ratios less so.
_REFERENCES = {
    "W1": "raw limit, 2 connections",
    "W2": "pgflow, W1",
    "W3": "pgflow, W1",
    "W4": "bare NOTIFY round trip",
    "W6": "bare insert of 3 rows, 1 connections",
}
# Repeats on one small machine differ by as much.
_TOLERANCE = 0.8


def ratios_of(result: Mapping[str, Any]) -> dict[str, float]:
    """Return our figures as ratios to the references of their run; more is better."""
    workloads: dict[str, dict[str, Any]] = dict(result["workloads"])
    ours = workloads.get("W1", {}).get("pgflow")
    found: dict[str, float] = {}
    for group, figures in workloads.items():
        name = _REFERENCES.get(group)
        reference = ours if name == "pgflow, W1" else figures.get(name)
        if reference is None:
            continue
        for label, figure in figures.items():
            if label.startswith("pgflow"):
                ratio = figure["value"] / reference["value"]
                found[f"{group} {label}"] = 1 / ratio if figure["unit"] == "ms" else ratio
    return found


def slower_than(before: Path, result: Mapping[str, Any]) -> list[str]:
    """Return a line for each ratio that is much worse than in an earlier result file."""
    old = ratios_of(json.loads(before.read_text()))
    return [
        f"{name}: {ratio:.2f} of its reference, and it was {old[name]:.2f}"
        for name, ratio in ratios_of(result).items()
        if name in old and ratio < _TOLERANCE * old[name]
    ]
