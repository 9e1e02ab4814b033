"""Broadcasting changes where the server has realtime.send, as Supabase has."""

from typing import Any

import pgflow_core_sql
import psycopg
import pytest

from .conftest import Engine

STAND_IN = """
create schema realtime;
create table realtime.messages (
  id serial primary key, payload jsonb, event text, topic text, private boolean
);
create function realtime.send(
  payload jsonb, event text, topic text, private boolean default true
) returns void language sql as
'insert into realtime.messages (payload, event, topic, private) values ($1, $2, $3, $4)';
"""


@pytest.fixture
def realtime(engine: Engine, db: str) -> Engine:
    """An engine on a database with a realtime.send that keeps what it is given."""
    engine.conn.execute(STAND_IN)
    pgflow_core_sql.Migrator(db).migrate()
    return engine


def events(engine: Engine, run_id: object) -> list[str]:
    return [
        row[0]
        for row in engine.rows(
            "select event from realtime.messages where topic = %s order by id",
            f"pgflow:run:{run_id}",
        )
    ]


def payload(engine: Engine, event: str) -> dict[str, Any]:
    return engine.value("select payload from realtime.messages where event = %s", event)


def test_each_transition_is_sent_once_in_order(realtime: Engine):
    slug = realtime.flow(
        "mixed",
        {
            "make": {},
            "each": {"deps_slugs": ["make"], "step_type": "map"},
            "never": {"deps_slugs": ["make"], "required_input_pattern": '{"make": {"a": 1}}'},
            "last": {"deps_slugs": ["each", "never"]},
        },
    )
    run_id = realtime.start(slug)
    realtime.complete(realtime.claim()[0], [])
    realtime.finish(lambda task: "end")

    assert events(realtime, run_id) == [
        "run:started",
        "step:make:started",
        "step:make:completed",
        "step:never:skipped",
        "step:each:completed",
        "step:last:started",
        "step:last:completed",
        "run:completed",
    ]


def test_a_failure_sends_the_step_then_the_run(realtime: Engine, chain: str):
    run_id = realtime.start(chain)
    realtime.fail(realtime.claim()[0], "no luck")

    assert events(realtime, run_id)[-1] == "run:failed"
    assert events(realtime, run_id)[2] == "step:first:failed"
    assert payload(realtime, "run:failed")["error_message"] == "no luck"


def test_payloads_carry_what_the_transition_brought(realtime: Engine, chain: str):
    run_id = realtime.start(chain, {"n": 1})
    realtime.complete(realtime.claim()[0], "out")

    started = payload(realtime, "run:started")
    assert (started["input"], started["remaining_steps"]) == ({"n": 1}, 3)
    completed = payload(realtime, "step:first:completed")
    assert completed["output"] == "out"
    assert completed["run_id"] == str(run_id)
    assert completed["event_type"] == "step:completed"


# What the original sends beside event_type, run_id and status; ours adds to it.
KEYS = {
    "run:started": {"flow_slug", "input", "remaining_steps", "started_at"},
    "run:completed": {"flow_slug", "output", "completed_at"},
    "run:failed": {"flow_slug", "failed_at", "error_message"},
    "step:started": {"step_slug", "started_at", "remaining_tasks", "remaining_deps"},
    "step:completed": {"step_slug", "output", "completed_at"},
    "step:failed": {"step_slug", "error_message", "failed_at"},
    "step:skipped": {"step_slug", "skip_reason", "skipped_at"},
}


def test_topics_names_and_payloads_are_those_of_the_original(realtime: Engine):
    skipped = {"required_input_pattern": '{"never": true}'}
    good = realtime.flow("good", {"first": {}, "never": skipped, "last": {"deps_slugs": ["first"]}})
    bad = realtime.flow("bad", {"only": {"max_attempts": 1}})
    runs = {realtime.start(good, {}), realtime.start(bad, {})}
    tasks = {task.step: task for task in realtime.claim()}
    realtime.fail(tasks["only"])
    realtime.complete(tasks["first"])
    realtime.finish()

    sent = realtime.rows("select topic, event, payload from realtime.messages")
    assert {topic for topic, _, _ in sent} == {f"pgflow:run:{run_id}" for run_id in runs}
    assert {payload["event_type"] for _, _, payload in sent} == set(KEYS)
    for topic, event, payload in sent:
        kind, _, status = payload["event_type"].partition(":")
        assert KEYS[payload["event_type"]] | {"run_id", "status"} <= payload.keys()
        assert topic == f"pgflow:run:{payload['run_id']}"
        assert payload["status"] == status
        names = [kind, payload["step_slug"], status] if kind == "step" else [kind, status]
        assert event == ":".join(names)


def test_a_batch_sends_each_transition_of_its_runs_once(realtime: Engine, chain: str):
    runs = [realtime.start(chain) for _ in range(3)]
    for _ in ("first", "second", "third"):
        tasks = realtime.claim()
        report = (
            [task.run_id for task in tasks],
            [task.step for task in tasks],
            [task.index for task in tasks],
            ["1" for _ in tasks],
        )
        query = "select count(*) from pgflow.complete_tasks(%s, %s, %s, %s::jsonb[])"
        # The second call is the same report again.
        assert realtime.value(query, *report) == realtime.value(query, *report) == 0

    steps = [f"step:{step}:{status}" for step in ("first", "second", "third")
             for status in ("started", "completed")]  # fmt: skip
    for run_id in runs:
        assert events(realtime, run_id) == ["run:started", *steps, "run:completed"]


def test_calls_of_one_transaction_send_each_transition_once(realtime: Engine, chain: str):
    with realtime.conn.transaction():
        run_id = realtime.start(chain)
        realtime.complete(realtime.claim()[0])
        other = realtime.start(chain)
        realtime.rows("select * from pgflow.cancel_run(%s)", run_id)
    assert events(realtime, run_id) == [
        "run:started",
        *("step:first:started", "step:first:completed", "step:second:started"),
        *("step:second:cancelled", "step:third:cancelled", "run:cancelled"),
    ]
    assert events(realtime, other) == ["run:started", "step:first:started"]


def test_cancelling_and_going_on_are_sent_too(realtime: Engine, chain: str):
    run_id = realtime.start(chain)
    for _ in range(2):
        realtime.rows("select * from pgflow.cancel_run(%s)", run_id)
    cancelled = events(realtime, run_id)[2:]
    assert sorted(cancelled[:-1]) == [f"step:{s}:cancelled" for s in ("first", "second", "third")]
    assert cancelled[-1] == "run:cancelled"

    realtime.rows("select * from pgflow.retry_run(%s)", run_id)
    assert events(realtime, run_id)[6:] == ["run:started", "step:first:started"]


def test_an_output_that_breaks_a_map_sends_the_step_then_the_run(realtime: Engine):
    slug = realtime.flow("maps", {"make": {}, "each": {"deps_slugs": ["make"], "step_type": "map"}})
    run_id = realtime.start(slug)
    realtime.complete(realtime.claim()[0], "no array")

    sent = events(realtime, run_id)
    assert sent[2:] == ["step:make:failed", "step:each:cancelled", "run:failed"]
    reason = "step make returned string, but map each runs over it and needs an array"
    for event in ("step:make:failed", "run:failed"):
        assert payload(realtime, event)["error_message"] == reason


def test_an_event_has_the_same_keys_whatever_led_to_it(realtime: Engine):
    unmet = {"required_input_pattern": '{"never": true}'}
    tries = {"max_attempts": 1, "when_exhausted": "skip-cascade"}
    slug = realtime.flow(
        "paths",
        {
            "by_condition": {"when_unmet": "skip-cascade", **unmet},
            "with_it": {"deps_slugs": ["by_condition"]},
            "by_failure": tries,
            "with_that": {"deps_slugs": ["by_failure"]},
            "empty": {"step_type": "map"},
            "full": {},
            "last": {"deps_slugs": ["full"], "when_unmet": "fail", **unmet},
        },
    )
    failing = realtime.flow("failing", {"only": {"max_attempts": 1}})
    realtime.start(slug, [])
    realtime.start(failing)
    tasks = {task.step: task for task in realtime.claim()}
    realtime.fail(tasks["by_failure"])
    realtime.fail(tasks["only"])
    realtime.complete(tasks["full"])

    ways = realtime.rows(
        """
        select payload ->> 'event_type', count(*),
          count(distinct array(select jsonb_object_keys(payload)))
        from realtime.messages group by 1
        """
    )
    assert {event: keys for event, _, keys in ways} == dict.fromkeys(
        [event for event, _, _ in ways], 1
    )
    sent = {event: times for event, times, _ in ways}
    assert (sent["step:skipped"], sent["step:completed"], sent["step:failed"]) == (4, 2, 2)
    assert sent["run:failed"] == 2


def test_a_transaction_that_is_rolled_back_sends_nothing(realtime: Engine, chain: str, db: str):
    with psycopg.connect(db) as conn:
        conn.execute("select * from pgflow.start_flow(%s, '{}')", (chain,))
        conn.rollback()
    assert realtime.value("select count(*) from realtime.messages") == 0


def test_topics_are_private_unless_the_database_says_otherwise(realtime: Engine, chain: str):
    realtime.start(chain)
    assert realtime.rows("select distinct private from realtime.messages") == [(True,)]

    realtime.conn.execute("set pgflow.realtime_private = off")
    realtime.start(chain)
    assert realtime.rows("select count(*) from realtime.messages where not private") == [(2,)]


def test_without_realtime_there_are_no_triggers(engine: Engine, realtime: Engine, db: str):
    count = "select count(*) from pg_trigger where starts_with(tgname, 'note_events')"
    assert engine.value(count) == 4

    engine.conn.execute("drop schema realtime cascade")
    pgflow_core_sql.Migrator(db).migrate()

    assert engine.value(count) == 0
