"""The websites of several versions lie side by side."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.workspace import ROOT


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "website/tools")
    sys.modules.pop("publish", None)
    import publish

    return publish.publish


def test_the_highest_version_is_the_latest_however_late_another_one_is_published(
    publish: Any, tmp_path: Path
):
    site, folder = tmp_path / "site", tmp_path / "all"
    site.mkdir()
    for version in ("0.9.0", "0.10.0", "0.9.1"):
        (site / "index.html").write_text(version)
        publish(site, folder, version)

    assert (folder / "latest/index.html").read_text() == "0.10.0"
    assert (folder / "0.9.0/index.html").read_text() == "0.9.0"
    menu = json.loads((folder / "versions.json").read_text())
    assert [each["version"] for each in menu] == ["0.10.0", "0.9.1", "0.9.0"]
    assert [each["aliases"] for each in menu] == [["latest"], [], []]


def test_a_version_that_is_published_again_leaves_no_page_of_before(publish: Any, tmp_path: Path):
    site, folder = tmp_path / "site", tmp_path / "all"
    site.mkdir()
    (site / "old.html").write_text("")
    publish(site, folder, "1.0.0")
    (site / "old.html").rename(site / "new.html")
    publish(site, folder, "1.0.0")

    assert [each.name for each in (folder / "latest").iterdir()] == ["new.html"]


def test_search_engines_are_told_where_the_pages_of_the_latest_version_are_listed(
    publish: Any, tmp_path: Path
):
    site, folder = tmp_path / "site", tmp_path / "all"
    site.mkdir()
    (site / "sitemap.xml").write_text("<url><loc>https://a.org/latest/</loc></url>")
    publish(site, folder, "1.0.0")

    told = (folder / "robots.txt").read_text()
    assert "Sitemap: https://a.org/latest/sitemap.xml" in told.splitlines()
