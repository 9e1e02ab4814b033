"""A worker behind a URL: a request has it work until there is nothing to do, or time is up.

Any server of ASGI serves it: uvicorn app:app --host 0.0.0.0 --port $PORT
"""

import os
from datetime import timedelta

from flows import shop
from pgflow_worker import WorkerOptions
from pgflow_worker.asgi import WorkerApp


def seconds(variable: str, default: float) -> timedelta:
    """Read a span from the environment."""
    return timedelta(seconds=float(os.environ.get(variable, default)))


app = WorkerApp(
    [shop],
    os.environ["PGFLOW_DATABASE_URL"],
    function_name="shop",
    secret=os.environ["PGFLOW_SECRET"],
    # Together with what a drain takes, less than the longest request that the platform has. What is
    # not done by then waits for the next request.
    run_for=seconds("RUN_FOR", 240),
    idle_timeout=seconds("IDLE_TIMEOUT", 5),
    options=WorkerOptions(concurrency=50, shutdown_timeout=seconds("SHUTDOWN_TIMEOUT", 20)),
)
