"""The repository speaks of itself alone: no machine's paths, no registry's hosts, no loose ends."""

import re

import pytest

from tests.house.workspace import ROOT, name_of, tracked_files

# Written apart, so that this file is not its own finding.
HOME_FOLDER = re.compile(r"(?<![\w$}>])/(?:" + r"root|home|Users)/[\w.]+")
REGISTRY_HOST = re.compile(
    "py" + r"pi\.org|python" + r"hosted|registry\.np" + "m|deb" + r"ian\.org"
)
LOOSE_END = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
# The lock names where each archive comes from; the license is not ours to word.
NOT_OURS_TO_WORD = {"uv.lock", "LICENSE"}


@pytest.mark.parametrize("finding", [HOME_FOLDER, REGISTRY_HOST, LOOSE_END])
def test_no_tracked_file_names_what_is_not_the_projects(finding: re.Pattern[str]):
    found: list[str] = []
    for path in tracked_files():
        if path.name in NOT_OURS_TO_WORD:
            continue
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{name_of(path)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(lines, start=1)
            if finding.search(line)
        ]
    assert found == []


def test_every_tracked_text_file_ends_with_one_newline():
    texts = {".py", ".sql", ".md", ".toml", ".txt", ".yml", ".yaml"}
    wrong = [
        name_of(path)
        for path in tracked_files()
        if path.suffix in texts
        and (text := path.read_bytes())
        and (not text.endswith(b"\n") or text.endswith(b"\n\n"))
    ]
    assert wrong == []


def test_ci_runs_what_a_contributor_runs():
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("\nuv run nox")
