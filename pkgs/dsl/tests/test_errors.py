"""Errors: one root, data in attributes, and the way back from another process."""

import pickle
from datetime import timedelta
from typing import Any

import pytest
from pgflow_dsl import (
    DataInvalid,
    DefinitionError,
    FinalError,
    HandlerInputInvalid,
    HandlerOutputInvalid,
    InputInvalid,
    PgflowError,
    RetryAfter,
    UnknownStep,
)

ERRORS: list[PgflowError] = [
    DefinitionError("flow 'f'", "is wrong"),
    UnknownStep("f", "s", ("a", "b")),
    InputInvalid("f", None, (("a.b", "too long"),)),
    HandlerInputInvalid("f", "s", (("", "not JSON"), ("a", "missing"))),
    HandlerOutputInvalid("f", "s", (("a", "missing"),)),
    FinalError("no such account"),
    RetryAfter(timedelta(seconds=30), "the service is busy"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_the_way_from_another_process(error: PgflowError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_invalid_data_is_told_by_field() -> None:
    error = HandlerInputInvalid("f", "s", (("", "not JSON"), ("a", "missing")))
    assert str(error) == "input of step 's' of flow 'f' is invalid: not JSON; a: missing"
    assert isinstance(error, DataInvalid)


def test_retry_after_takes_a_delay_that_can_be() -> None:
    assert RetryAfter(timedelta(minutes=1)).delay == timedelta(minutes=1)
    assert str(RetryAfter(timedelta(minutes=1), "busy")) == "busy (again after 0:01:00)"
    seconds: Any = 30
    with pytest.raises(TypeError, match="takes a timedelta, not int"):
        RetryAfter(seconds)
    with pytest.raises(ValueError, match="zero or more"):
        RetryAfter(timedelta(seconds=-1))
