"""The dashboard and the alerts ask for what workers export, and for nothing else."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pgflow_worker._meters import PrometheusMeter
from pgflow_worker._metrics import INSTRUMENTS
from prometheus_client import CollectorRegistry

from tests.deploy.serving import DEPLOY

FOLDER = DEPLOY / "monitoring"
HERE = Path(__file__).parent
# What Prometheus adds to all that it scrapes.
ADDED = {"instance", "job"}
METRIC = re.compile(r"\b(pgflow_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")
SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool here"
)


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The samples that a worker exports, with their labels."""
    registry = CollectorRegistry()
    meter = PrometheusMeter(registry)
    for each in INSTRUMENTS:
        meter.put(each, tuple(f"some {label}" for label in each.labels), 1)
    return {
        sample.name: set(sample.labels)
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "grafana.json").read_text())


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return group["rules"]


def questions() -> Iterator[tuple[str, str, str]]:
    """Give each expression with who asks, and the texts that show its labels."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            name = f"{panel['title']} {target['refId']}"
            yield name, target["expr"], target["legendFormat"]
    for rule in rules():
        yield rule["alert"], rule["expr"], " ".join(rule["annotations"].values())


@pytest.mark.parametrize(
    ("expression", "shown"),
    [pytest.param(expression, shown, id=name) for name, expression, shown in questions()],
)
def test_what_is_asked_for_is_exported(exported: dict[str, set[str]], expression: str, shown: str):
    asked = METRIC.findall(expression)
    assert asked
    assert {name for name, _ in asked} <= set(exported)
    for name, matchers in asked:
        assert set(LABEL.findall(matchers)) <= exported[name], name
    grouped = {
        label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",")
    }
    for name, _ in asked:
        assert grouped - ADDED <= exported[name], name
    # A label that the expression has added up is no longer there to be shown.
    assert set(SHOWN.findall(shown)) <= grouped


def test_the_states_that_are_asked_for_are_those_that_are_told(exported: dict[str, set[str]]):
    """Nobody else would notice that one is misspelt."""
    told = {"living", "lost", "ready", "delayed", "started"}
    named = {
        state
        for _, expression, _ in questions()
        for state in re.findall(r'state="(\w+)"', expression)
    }
    assert named == {"living", "lost", "ready"} <= told


def test_the_dashboard_shows_all_that_is_exported(exported: dict[str, set[str]]):
    shown = {
        name
        for panel in dashboard()["panels"]
        for target in panel["targets"]
        for name, _ in METRIC.findall(target["expr"])
    }

    def stem(name: str) -> str:
        return re.sub(r"_(bucket|sum|count)$", "", name)

    assert {stem(name) for name in exported} == {stem(name) for name in shown}


def test_panels_have_their_own_place_and_the_data_source_that_is_chosen():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
    variables = {each["name"] for each in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels)))
    assert used <= variables | {"__rate_interval"}


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration(tmp_path: Path):
    for name in ("alerts.yml", "prometheus.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    # Some distributions build it without Kubernetes.
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text())
    jobs = config["scrape_configs"]
    config["scrape_configs"] = [job for job in jobs if "kubernetes_sd_configs" not in job]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    promtool(tmp_path, "check", "config", "prometheus.yml")


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path):
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    shutil.copy(HERE / "alerts_test.yml", tmp_path)
    promtool(tmp_path, "test", "rules", "alerts_test.yml")


def test_each_alert_is_tried_where_it_fires_and_where_it_does_not():
    tried = {True: set(), False: set()}
    for series in yaml.safe_load((HERE / "alerts_test.yml").read_text())["tests"]:
        for each in series["alert_rule_test"]:
            tried["exp_alerts" in each].add(each["alertname"])
    names = {rule["alert"] for rule in rules()}
    assert tried == {True: names, False: names}


def promtool(folder: Path, *words: str) -> None:
    done = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
