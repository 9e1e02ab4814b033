"""A client of several databases: any of them, found again, one of them down."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pgflow_core_sql
import psycopg
import pytest
from pgflow_client import (
    AsyncShardedClient,
    DatabaseUnreachable,
    RunCancelled,
    RunExists,
    RunNotFound,
    SchemaMissing,
    ShardedClient,
)
from pgflow_client._async import database, sharded
from pgflow_client._async.database import execute
from pgflow_client._rendezvous import by_hash, id_of, key_of, new_run_id

from pkgs.client.tests.conftest import Hand
from tests.support import throwaway_server

PATIENCE = timedelta(seconds=30)
NOWHERE = "postgresql://127.0.0.1:1/nowhere"


@pytest.fixture(scope="module")
def other_server():
    """A second server, which may be stopped."""
    with throwaway_server() as server:
        pgflow_core_sql.Migrator(server.url()).migrate()
        yield server


@pytest.fixture
def other_hand(other_server) -> Iterator[Hand]:
    with psycopg.connect(other_server.url(), autocommit=True) as conn:
        yield Hand(conn)
    # Another connection: the server may have been stopped meanwhile.
    with psycopg.connect(other_server.url(), autocommit=True) as conn:
        conn.execute("truncate pgflow.runs, pgflow.step_states, pgflow.step_tasks, pgflow.run_keys")


@pytest.fixture
def hands(hand, greet, other_hand):
    other_hand.serve(greet)
    return {"left": hand, "right": other_hand}


@pytest.fixture
def shards(db, other_server, hands):
    return {"left": db, "right": other_server.url()}


def ids_on(hand):
    return {row[0] for row in hand.conn.execute("select run_id from pgflow.runs")}


async def test_runs_go_to_all_shards_and_their_ids_alone_tell_which(shards, hands, greet):
    async with AsyncShardedClient(shards) as client:
        runs = [await client.start_flow(greet, str(n)) for n in range(30)]
    on = {name: ids_on(hand) for name, hand in hands.items()}
    assert on["left"] | on["right"] == {run.run_id for run in runs}
    assert on["left"]
    assert on["right"]
    # It need not ask the other one, which is not even there.
    async with AsyncShardedClient({**shards, "right": NOWHERE}) as client:
        for run_id in on["left"]:
            assert (await client.get_run(str(run_id), greet)).run_id == run_id
        assert client.shards["right"]._hub.database.failed_at is None


async def test_a_handle_does_all_that_it_does_with_one_database(shards, hands, greet):
    async with AsyncShardedClient(shards) as client:
        for name, hand in hands.items():
            done, gone = [
                await client.start_flow(greet, "you", run_id=new_run_id(shards, [name]))
                for _ in range(2)
            ]
            hand.complete(done.run_id, "hello", name)
            assert await done.result(PATIENCE) == {"hello": name}
            assert [type(each).__name__ async for each in done.events()][-1] == "RunEnded"
            await gone.cancel("changed my mind")
            with pytest.raises(RunCancelled, match="changed my mind"):
                await gone.wait(PATIENCE)
            assert (await gone.retry()).status == "started"


async def test_an_idempotency_key_is_of_one_shard_whoever_starts(shards, hands, greet):
    keys = [f"order {number}" for number in range(20)]
    backwards = dict(reversed(shards.items()))
    async with AsyncShardedClient(shards) as one, AsyncShardedClient(backwards) as two:
        first = [await one.start_flow(greet, "you", idempotency_key=key) for key in keys]
        again = await two.start_flows(greet, ["you"] * 20, idempotency_keys=keys)
        assert [run.run_id for run in again] == [run.run_id for run in first]
    assert sum(len(ids_on(hand)) for hand in hands.values()) == 20
    for name, hand in hands.items():
        found = ids_on(hand)
        assert found
        # Ids are made to fit the shard of the key.
        assert {by_hash(shards, id_of(run_id))[0] for run_id in found} == {name}


async def test_lists_are_of_all_shards_the_newest_first(shards, hands, greet):
    async with AsyncShardedClient(shards) as client:
        runs = [await client.start_flow(greet, "you", tags={"n": n}) for n in range(25)]
        newest_first = sorted((run.run_id for run in runs), reverse=True)
        assert newest_first == [run.run_id for run in reversed(runs)]
        assert [run.run_id async for run in client.list_runs(page=3)] == newest_first
        before = newest_first[9]
        rest = [run.run_id async for run in client.list_runs(greet, before=before)]
        assert rest == newest_first[10:]
        (tagged,) = [run async for run in client.list_runs(tags={"n": 7})]
        assert tagged.run_id == runs[7].run_id
        assert [flow.flow_slug for flow in await client.list_flows()] == ["greet"]
        assert await client.schema_version() >= 1


async def test_an_idempotency_key_is_of_one_shard_whatever_version_is_started(shards, hands, greet):
    async with AsyncShardedClient(shards) as client:
        for number in range(10):
            key = f"order {number}"
            first = await client.start_flow(greet, "you", idempotency_key=key)
            again = await client.start_flow("greet@1", "you", idempotency_key=key)
            assert again.run_id == first.run_id


async def test_a_shard_that_is_added_loses_no_run_and_no_key(shards, hands, greet):
    keys = [f"order {number}" for number in range(20)]
    old = {"left": shards["left"]}
    async with AsyncShardedClient(old) as client:
        runs = [await client.start_flow(greet, "you", idempotency_key=key) for key in keys]
    async with AsyncShardedClient(shards, without_keys=["right"]) as client:
        for run, key in zip(runs, keys, strict=True):
            assert (await client.get_run(run.run_id)).run_id == run.run_id
            again = await client.start_flow(greet, "you", idempotency_key=key)
            assert again.run_id == run.run_id
        assert ids_on(hands["right"]) == set()
        # Runs without a key make use of it.
        for _ in range(20):
            await client.start_flow(greet, "you")
        assert ids_on(hands["right"])


async def test_many_runs_without_keys_are_started_on_one_shard_all_or_none(shards, hands, greet):
    async with AsyncShardedClient(shards) as client:
        for _ in range(30):
            runs = await client.start_flows(greet, ["a", "b", "c"])
            ids = [run.run_id for run in runs]
            (home,) = {by_hash(shards, id_of(run_id))[0] for run_id in ids}
            assert ids_on(hands[home]) >= set(ids)
        assert ids_on(hands["left"])
        assert ids_on(hands["right"])


async def test_many_runs_with_ids_or_keys_are_started_where_each_belongs(shards, hands, greet):
    ids = [new_run_id(shards, [name]) for name in ("left", "right", "right", "left")]
    keys = ["a", None, "b", None]
    async with AsyncShardedClient(shards) as client:
        runs = await client.start_flows(greet, ["1", "2", "3", "4"], run_ids=ids)
        assert [run.run_id for run in runs] == ids
        assert ids_on(hands["left"]) == {ids[0], ids[3]}
        runs = await client.start_flows(greet, ["1", "2", "3", "4"], idempotency_keys=keys)
        for run, given in zip(runs, "1234", strict=True):
            hand = next(each for each in hands.values() if run.run_id in ids_on(each))
            (stored,) = hand.conn.execute(
                "select input from pgflow.runs where run_id = %s", (run.run_id,)
            ).fetchone()
            assert stored == given


async def test_a_shard_that_is_down_is_named_and_the_others_go_on(
    shards, hands, greet, other_server
):
    async with AsyncShardedClient(shards) as client:
        ids = {name: new_run_id(shards, [name]) for name in shards}
        runs = {
            name: await client.start_flow(greet, "you", run_id=run_id)
            for name, run_id in ids.items()
        }
        other_server.stop()
        try:
            with pytest.raises(DatabaseUnreachable, match=r"^shard 'right': cannot reach") as told:
                await runs["right"].cancel()
            assert told.value.shard == "right"
            with pytest.raises(DatabaseUnreachable, match="shard 'right'"):
                await client.get_run(ids["right"])
            # Whether there is such a run, nobody can tell.
            with pytest.raises(DatabaseUnreachable, match="shard 'right'"):
                await client.get_run(uuid4())
            with pytest.raises(DatabaseUnreachable, match="shard 'right'"):
                [run async for run in client.list_runs()]
            with pytest.raises(DatabaseUnreachable, match="shard 'right'"):
                await client.start_flow(greet, "you", run_id=new_run_id(shards, ["right"]))
            hands["left"].complete(ids["left"], "hello", "hi")
            assert await runs["left"].result(PATIENCE) == {"hello": "hi"}
            # Runs that may go anywhere go where somebody takes them.
            for _ in range(20):
                run = await client.start_flow(greet, "you")
                await client.start_flows(greet, ["you", "me"])
                assert (await client.get_run(run.run_id)).status == "started"
            assert len([run async for run in client.shards["left"].list_runs()]) == 61
            assert len(await client.list_flows()) == 1
        finally:
            other_server.start()
        assert (await client.get_run(ids["right"])).status == "started"
        assert len([run async for run in client.list_runs()]) == 62


async def test_no_start_fails_that_another_shard_can_take(
    shards, hands, greet, other_server, monkeypatch
):
    # Each start may find the shard that is down first.
    monkeypatch.setattr(sharded, "_REST", 0.0)
    async with AsyncShardedClient(shards) as client:
        for _ in range(10):
            await client.start_flow(greet, "you")
        there = len(ids_on(hands["left"]))
        other_server.stop()
        try:
            for _ in range(20):
                await client.start_flow(greet, "you")
                await client.start_flows(greet, ["you", "me"])
            assert client.shards["right"]._hub.database.failed_at is not None
            assert len(ids_on(hands["left"])) == there + 60
        finally:
            other_server.start()
    async with AsyncShardedClient({"left": NOWHERE, "right": NOWHERE}) as client:
        with pytest.raises(DatabaseUnreachable, match=r"^shard '(left|right)': ") as told:
            await client.start_flow(greet, "you")
        assert not told.value.was_reached


async def test_runs_without_a_key_go_elsewhere_from_among_those_with_one(
    shards, hands, greet, other_server, monkeypatch
):
    monkeypatch.setattr(sharded, "_REST", 0.0)
    numbers = range(100)
    left, right = (
        next(f"key {n}" for n in numbers if by_hash(shards, key_of("greet", f"key {n}"))[0] == name)
        for name in ("left", "right")
    )
    async with AsyncShardedClient(shards) as client:
        other_server.stop()
        try:
            for _ in range(10):
                await client.start_flows(
                    greet, ["1", "2", "3"], idempotency_keys=[None, left, None]
                )
            assert len(ids_on(hands["left"])) == 21
            # Nothing is started beside what cannot be, so it can be called again.
            with pytest.raises(DatabaseUnreachable, match="shard 'right'"):
                await client.start_flows(greet, ["1", "2"], idempotency_keys=[None, right])
            assert len(ids_on(hands["left"])) == 21
        finally:
            other_server.start()


async def test_a_run_has_its_shard_by_its_id_or_by_its_key_and_not_by_both(shards, hands, greet):
    run_id = uuid4()
    async with AsyncShardedClient(shards) as client:
        with pytest.raises(ValueError, match="give one of them"):
            await client.start_flow(greet, "you", run_id=run_id, idempotency_key="key")
        with pytest.raises(ValueError, match="give one of them"):
            await client.start_flows(
                greet, ["1", "2"], run_ids=[uuid4(), run_id], idempotency_keys=[None, "key"]
            )
    assert all(ids_on(hand) == set() for hand in hands.values())


async def test_an_id_that_is_given_names_one_run_also_when_a_shard_is_added(shards, hands, greet):
    ids = [uuid4() for _ in range(20)]
    async with AsyncShardedClient({"left": shards["left"]}) as client:
        await client.start_flows(greet, ["you"] * 20, run_ids=ids)
    async with AsyncShardedClient(shards, without_keys=["right"]) as client:
        for run_id in ids:
            with pytest.raises(RunExists):
                await client.start_flow(greet, "you", run_id=run_id)
            assert (await client.get_run(run_id)).run_id == run_id
    assert ids_on(hands["right"]) == set()


async def test_a_start_that_may_have_been_sent_is_not_tried_elsewhere(
    shards, hands, greet, monkeypatch
):
    # The server commits, and its answer is lost.
    async def lose(conn, call):
        answer = await execute(conn, call)
        if not call.is_write:
            return answer
        raise psycopg.OperationalError("the connection is lost")

    async with AsyncShardedClient(shards) as client:
        monkeypatch.setattr(database, "execute", lose)
        starts = [client.start_flow(greet, "you"), client.start_flows(greet, ["you", "me"])]
        for start in starts:
            with pytest.raises(DatabaseUnreachable, match="the connection is lost") as told:
                await start
            assert told.value.was_reached
    assert sum(len(ids_on(hand)) for hand in hands.values()) == 3


async def test_a_run_that_no_shard_has_is_not_found(shards, hands):
    async with AsyncShardedClient(shards) as client:
        with pytest.raises(RunNotFound):
            await client.get_run(uuid4())


def test_the_client_for_threads_has_shards_too(shards, hands, greet):
    with ShardedClient(shards) as client:
        runs = [client.start_flow(greet, "you") for _ in range(12)]
        ids = [run.run_id for run in runs]
        assert [run.run_id for run in client.list_runs(page=2)] == ids[::-1]
        assert [client.get_run(run_id).run_id for run_id in ids] == ids
        left_early = client.list_runs()
        next(left_early)
        left_early.close()


def test_what_cannot_be_a_set_of_shards_is_refused(db, postgres, greet):
    with pytest.raises(ValueError, match="needs a shard"):
        ShardedClient({})
    with pytest.raises(ValueError, match="one that takes idempotency keys"):
        ShardedClient({"left": db}, without_keys=["left"])
    with pytest.raises(ValueError, match="without_keys names no shards: middle"):
        ShardedClient({"left": db}, without_keys=["middle"])
    with pytest.raises(DatabaseUnreachable, match=r"shard 'left': .* not a database URL"):
        ShardedClient({"left": "postgresql//typo"})
    with (
        ShardedClient({"left": postgres.url()}) as client,
        pytest.raises(SchemaMissing, match="shard 'left': pgflow is not installed"),
    ):
        client.start_flow(greet, "you")


# What a hash once told has to stay so: runs are found by it.
HOMES = {
    "01936a1e-7b00-7000-8000-000000000005": ["west", "north", "east"],
    "01936a1e-7b00-7000-8000-000000000006": ["east", "north", "west"],
    "ffffffff-ffff-ffff-ffff-ffffffffffff": ["north", "west", "east"],
}


def test_the_same_id_and_the_same_key_belong_to_the_same_shard_for_ever():
    names = ["north", "east", "west"]
    found = {text: by_hash(names, id_of(UUID(text))) for text in HOMES}
    assert found == HOMES
    assert by_hash(names, key_of("order", "number 1")) == ["west", "north", "east"]


def test_a_shard_that_is_added_takes_a_part_from_all_and_moves_nothing_between_them():
    old = [f"shard {number}" for number in range(4)]
    new = [*old, "shard 4"]
    # Not random, so that no run of the test is unlucky.
    ids = [id_of(UUID(int=number)) for number in range(2000)]
    moved = 0
    for each in ids:
        before, after = by_hash(old, each)[0], by_hash(new, each)[0]
        assert after in (before, "shard 4")
        moved += after != before
    assert 300 < moved < 500
    shares = [sum(by_hash(old, each)[0] == name for each in ids) for name in old]
    assert min(shares) > 400


def test_ids_that_are_made_for_a_shard_are_of_version_7_and_in_order():
    names = ["north", "east", "west"]
    ids = [new_run_id(names, ["west"]) for _ in range(50)]
    assert {by_hash(names, id_of(each))[0] for each in ids} == {"west"}
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    # Two may be made in one microsecond, and the clock has to be read again for each try.
    assert [each.int >> 64 for each in ids] == sorted(each.int >> 64 for each in ids)
