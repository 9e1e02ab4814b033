"""The context of a task."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta

import pytest
from pgflow_dsl import Context


def test_time_left_counts_down_to_zero(context: Context) -> None:
    assert context.time_left() > timedelta(days=1)
    over = replace(context, deadline=datetime(2000, 1, 1, tzinfo=UTC))
    assert over.time_left() == timedelta(0)


def test_a_context_is_not_changed(context: Context) -> None:
    with pytest.raises(FrozenInstanceError):
        context.attempt = 2  # type: ignore[misc] # that is what is tested
