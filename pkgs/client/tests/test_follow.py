"""What makes events of looks, whatever looks it is given."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from pgflow_client import RunEnded, RunProgress, RunStarted, StepProgress, StepStarted
from pgflow_client._follow import Follower

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = UUID(int=1)


def step(slug, status="created", **more):
    started = status != "created"
    return StepProgress(
        **{
            "step_slug": slug,
            "kind": "single",
            "status": status,
            "tasks_total": 1,
            "tasks_done": int(status == "completed"),
            "failed_attempts": 0,
            "attempt_failed_at": None,
            "error_message": None,
            "skip_reason": None,
            "started_at": NOW if started else None,
            "ended_at": NOW if status not in ("created", "started") else None,
            **more,
        }
    )


def run(*steps, status="started"):
    return RunProgress(
        run_id=RUN,
        flow_slug="f",
        status=status,
        remaining_steps=0,
        error_message=None,
        failed_step_slug=None,
        reopened_count=0,
        started_at=NOW,
        ended_at=None if status == "started" else NOW,
        read_at=NOW,
        steps=steps,
    )


def names(events):
    return [f"{getattr(event, 'step_slug', '')}:{type(event).__name__}" for event in events]


def test_a_look_that_shows_nothing_new_tells_nothing():
    follower = Follower(RUN)
    look = run(step("a", "started"), step("b"))
    assert names(follower.follow(look)) == [":RunStarted", "a:StepStarted"]
    assert names(follower.follow(look)) == []


def test_a_look_that_is_older_than_the_last_tells_nothing_and_nothing_twice():
    follower = Follower(RUN)
    many = {"kind": "map", "tasks_total": 9}
    old = run(step("a", "started", tasks_done=1, **many))
    new = run(step("a", "started", tasks_done=5, failed_attempts=1, **many))
    done = run(step("a", "completed", **many), step("b", "started"))
    assert len(list(follower.follow(new))) == 4
    assert names(follower.follow(old)) == []
    assert names(follower.follow(new)) == []
    assert names(follower.follow(done)) == ["a:StepCompleted", "b:StepStarted"]
    assert names(follower.follow(new)) == []
    assert names(follower.follow(done)) == []


def test_causes_come_before_effects_however_much_has_happened_since_the_last_look():
    follower = Follower(RUN)
    list(follower.follow(run(step("a"), step("b", "started"), step("c"), step("d"), step("e"))))
    later = run(
        step("a", "completed"),
        step("b", "completed"),
        step("c", "started"),
        step("d", "skipped", skip_reason="condition_unmet", started_at=None),
        step("e", "completed", tasks_total=0, started_at=None),
    )
    assert names(follower.follow(later)) == [
        "b:StepCompleted",
        "a:StepStarted",
        "a:StepCompleted",
        "d:StepSkipped",
        "e:StepCompleted",
        "c:StepStarted",
    ]


def test_nothing_follows_the_end():
    follower = Follower(RUN)
    end = run(step("a", "completed"), status="completed")
    assert names(follower.follow(end))[-1] == ":RunEnded"
    assert follower.is_done
    assert names(follower.follow(end)) == []


def test_any_choice_of_looks_tells_each_transition_once_and_ends_once():
    history = [
        run(step("a"), step("b")),
        run(step("a", "started"), step("b")),
        run(step("a", "started", failed_attempts=1), step("b")),
        run(step("a", "completed", failed_attempts=1), step("b", "started")),
        run(step("a", "completed", failed_attempts=1), step("b", "completed")),
    ]
    end = replace(history[-1], status="completed", ended_at=NOW)
    for seed in range(200):
        chooser = random.Random(seed)
        looks = [chooser.choice(history) for _ in range(6)]
        follower = Follower(RUN)
        events = [event for look in [*looks, end, end] for event in follower.follow(look)]
        kinds = [type(event) for event in events]
        assert kinds[0] is RunStarted
        assert kinds[-1] is RunEnded
        assert kinds.count(RunEnded) == kinds.count(RunStarted) == 1
        told = names(events)
        assert len(told) == len(set(told))
        assert kinds.count(StepStarted) == 2
        assert told.index("a:StepCompleted") < told.index("b:StepStarted")
