"""Nothing is lost, stuck or done twice, whatever happens to workers, connections and the server."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.page import promises, recoveries, render
from tests.chaos.suite import Outcome, Round, play

ALONE: list[Outcome] = []


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Clients in this process tell of every outage, too."""
    logging.getLogger("pgflow.client").setLevel(logging.ERROR)
    yield
    logging.getLogger("pgflow.client").setLevel(logging.NOTSET)


def check(outcome: Outcome) -> None:
    print("\n".join(["", *promises(outcome), "", *recoveries(outcome)]))
    assert outcome.verdict.started >= outcome.round.runs
    assert outcome.verdict.faults() == {}


# Of the session `chaos-short`; the session `chaos` plays the others.
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_round_of_everything(tmp_path: Path, seed: int):
    outcome = play(Round(seed=seed, runs=200, seconds=45, pause=1.0), tmp_path)
    check(outcome)
    assert {incident.name for incident in outcome.incidents} == set(FAULTS)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(tmp_path: Path, seed: int, name: str):
    plan = Round(seed=seed, runs=400, seconds=15, faults=[name], pause=0.5, is_calm=True)
    outcome = play(plan, tmp_path)
    check(outcome)
    ALONE.append(outcome)


# The last one: its page tells of the others, too.
@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_a_long_round_of_everything(tmp_path: Path, seed: int, pytestconfig: pytest.Config):
    outcome = play(Round(seed=seed, runs=2000, seconds=290), tmp_path)
    check(outcome)
    assert {incident.name for incident in outcome.incidents} == set(FAULTS)
    page: Path | None = pytestconfig.getoption("--chaos-page")
    if page is not None:
        page.write_text(render(outcome, ALONE, str(page)))
