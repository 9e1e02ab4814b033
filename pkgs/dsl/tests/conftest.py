"""What the tests of the definitions share."""

import logging
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pgflow_dsl import Context


@pytest.fixture
def context() -> Context:
    """The context of some task."""
    return Context(
        run_id=UUID(int=1),
        flow_slug="flow",
        step_slug="step",
        task_index=0,
        attempt=1,
        deadline=datetime(2100, 1, 1, tzinfo=UTC),
        logger=logging.getLogger("test"),
    )
