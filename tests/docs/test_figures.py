"""The page of figures is made of result files as the bench writes them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.workspace import ROOT


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "website/tools")
    sys.modules.pop("figures", None)
    import figures

    return figures


def test_each_group_of_the_newest_result_has_a_table_and_a_plot(
    figures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def figure(value: float, unit: str) -> dict[str, Any]:
        return {"value": value, "unit": unit, "spread": [value - 1, value + 1], "commits": 2.0}

    result = {
        "measured_at": "2026-11-25T06:30:00+00:00",
        "python": "3.11.7",
        "cpus": 2,
        "postgresql": "18.4",
        "workloads": {
            "W1": {"pgflow": figure(15000, "runs/s"), "DBOS": figure(900, "runs/s")},
            "W4": {"pgflow, start to handler": figure(1.9, "ms")},
        },
    }
    (tmp_path / "2026-11-25.json").write_text(json.dumps(result))
    (tmp_path / "2026-11-01.json").write_text("{}")
    monkeypatch.setattr(figures, "RESULTS", tmp_path)

    pages = figures.pages()

    assert "Measured on 2026-11-25 on 2 CPUs" in pages["figures.md"]
    assert "PostgreSQL 18.4" in pages["figures.md"]
    assert "### Runs of one step, drained" in pages["figures.md"]
    assert "| DBOS | 900 | runs/s | 899 to 901 |" in pages["figures.md"]
    assert "| pgflow, start to handler | 1.9 | ms | 0.900 to 2.9 |" in pages["figures.md"]
    assert pages["figures-0.svg"].count("<rect") == 2
    assert "15,000 runs/s" in pages["figures-0.svg"]


def test_the_readme_shows_the_newest_figures(figures: Any):
    sys.modules.pop("speed", None)
    import speed

    readme = (ROOT / "README.md").read_text()
    assert readme == speed.with_figures(readme), "`python website/tools/speed.py` writes them"
