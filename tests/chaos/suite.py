"""A round of chaos: runs are started, faults happen, all is left to settle, and judged."""

import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import FAULTS, Incident, inflict
from tests.chaos.judge import Verdict, judge, measure, result_of
from tests.chaos.ledger import executions
from tests.chaos.world import World, world

# Longer than it takes to notice that a worker is lost, in seconds. It may have had no tasks.
_LONGEST_CALM = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round is to be.

    Attributes:
        seed: Decides on everything that is left to chance.
        runs: How many runs are started.
        seconds: How long that takes; faults happen meanwhile, and until each has happened.
        faults: Which may happen; each before any happens again.
        pause: Longest time between two, in seconds.
        is_calm: Whether work has gone on after each before the next.
    """

    seed: int
    runs: int
    seconds: float
    faults: Sequence[str] = tuple(FAULTS)
    pause: float = 4.0
    is_calm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a round.

    Attributes:
        round: The round.
        verdict: The counts.
        incidents: The faults that happened, in their order.
        server_version: Of PostgreSQL.
        seconds: How long it took, until all was settled.
    """

    round: Round
    verdict: Verdict
    incidents: Sequence[Incident]
    server_version: str
    seconds: float


def play(plan: Round, folder: Path) -> Outcome:
    """Play a round.

    Args:
        plan: What it is to be.
        folder: For the logs of workers and the ledger of what handlers did.
    """
    began_at = time.monotonic()
    print(f"chaos: seed {plan.seed}, {plan.runs} runs in {plan.seconds:g} s, {folder}")
    dice = random.Random(plan.seed)
    made: World
    with world(folder, dice, runs=plan.runs, seconds=plan.seconds) as made:
        incidents = list(_inflict_all(plan, made))
        made.starter.join()
        made.settle()
        exits = [said for worker in made.workers for said in worker.exits]
        codes = [worker.stop() for worker in made.workers]
        exits += [f"code {code} after SIGTERM" for code in codes if code != 0]
        for said in exits:
            print(f"chaos: a worker ended by itself: {said}")
        made.starter.release()
        with made.connect() as conn:
            verdict = judge(conn, made.starter.started, executions(folder))
            verdict.recoveries = measure(conn, incidents)
        verdict.exits = len(exits)
        verdict.misled = _misled(made)
        version = made.server.version()
        if verdict.faults():
            for worker in made.workers:
                print(f"chaos: the last that a worker logged:\n{worker.tail()}")
    return Outcome(
        round=plan,
        verdict=verdict,
        incidents=incidents,
        server_version=version,
        seconds=time.monotonic() - began_at,
    )


def _inflict_all(plan: Round, made: World) -> Iterator[Incident]:
    # Dice of its own: how long faults take must not change which runs are started.
    dice = random.Random(plan.seed + 1)
    bag: deque[str] = deque()
    missing = set(plan.faults)
    time.sleep(1)
    while missing or not made.starter.is_done():
        if not bag:
            bag.extend(dice.sample(list(plan.faults), len(plan.faults)))
        made.forgetful.sit()
        incident = inflict(bag.popleft(), made, dice)
        missing.discard(incident.name)
        print(f"chaos: {incident.name}, {incident.ended_at - incident.began_at:.1f} s", flush=True)
        yield incident
        if plan.is_calm:
            _wait_until_work_goes_on(made, incident)
        time.sleep(dice.uniform(0, plan.pause))


def _wait_until_work_goes_on(made: World, incident: Incident) -> None:
    """Wait until the tasks of a worker that was hit are taken over, or anything is completed."""
    end = time.monotonic() + _LONGEST_CALM
    while time.monotonic() < end and not made.starter.is_done():
        with made.connect() as conn:
            if any(measure(conn, [incident]).values()):
                return
        time.sleep(0.1)


def _misled(made: World) -> int:
    """Count the clients that waited for a run and were told something else than its result."""
    misled = 0
    for run_id, wait in made.starter.waits.items():
        start = made.starter.started[run_id]
        problem = None if not wait.done() else wait.exception()
        if problem is not None or not wait.done() or result_of(start, wait.result()) != start.value:
            print(f"chaos: the wait for run {run_id} ended with {problem!r}")
            misled += 1
    return misled
