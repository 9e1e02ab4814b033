"""The event that says that an attempt counts no longer."""

import asyncio
import pickle
import threading
from datetime import UTC, datetime, timedelta

import pytest
from pgflow_dsl import Cancellation

PAST = datetime(2000, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


def test_the_first_reason_stays() -> None:
    event = Cancellation()
    assert (event.is_set(), event.reason) == (False, None)
    event.set("the first")
    event.set("the second")
    assert (event.is_set(), event.reason) == (True, "the first")


def test_it_is_set_by_itself_at_its_deadline() -> None:
    event = Cancellation(FUTURE)
    assert not event.is_set()
    event.expire_at(PAST)
    assert event.is_set()
    assert event.wait()
    asyncio.run(asyncio.wait_for(wait(event), 20))


async def wait(event: Cancellation) -> None:
    await event


@pytest.mark.parametrize("timeout", [None, timedelta(minutes=1)])
def test_a_thread_that_waits_is_woken(timeout: timedelta | None) -> None:
    event = Cancellation(FUTURE)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(event.wait(timeout)))
    thread.start()
    event.set("now")
    thread.join(20)
    assert results == [True]


def test_a_thread_waits_no_longer_than_it_wants_to() -> None:
    assert not Cancellation().wait(timedelta(0))


def test_a_coroutine_that_waits_is_woken_by_another_thread() -> None:
    event = Cancellation()

    async def wake() -> None:
        waiting = asyncio.create_task(wait(event))
        await asyncio.sleep(0)
        threading.Thread(target=event.set, args=("now",)).start()
        await asyncio.wait_for(waiting, 20)
        await asyncio.wait_for(wait(event), 20)

    asyncio.run(wake())


def test_who_waits_no_longer_is_forgotten() -> None:
    event = Cancellation()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(event), 0.01)

    asyncio.run(give_up())
    event.wait(timedelta(0))
    # A loop that is closed could not be woken.
    event.set("now")


def test_another_process_only_knows_the_time() -> None:
    event = Cancellation(FUTURE)
    event.set("here")
    assert not pickle.loads(pickle.dumps(event)).is_set()
    event.expire_at(PAST)
    assert pickle.loads(pickle.dumps(event)).is_set()
