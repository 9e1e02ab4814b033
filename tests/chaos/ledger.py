"""What handlers did, outside of the database: a line for each time that one was called.

Every process appends to a file of its own, a line in one write, so that neither a killed worker nor
a killed server takes back what was written.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

from pgflow_dsl import Context

FOLDER_VARIABLE = "PGFLOW_CHAOS_LEDGER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One call of a handler.

    Attributes:
        token: Its own name, which goes into what it returns.
        run_id, step_slug, task_index, attempt: What it was called for.
    """

    token: str
    run_id: str
    step_slug: str
    task_index: int
    attempt: int


def note(ctx: Context) -> Execution:
    """Note that a handler was called."""
    execution = Execution(
        token=uuid4().hex,
        run_id=str(ctx.run_id),
        step_slug=ctx.step_slug,
        task_index=ctx.task_index,
        attempt=ctx.attempt,
    )
    path = Path(os.environ[FOLDER_VARIABLE]) / f"{os.getpid()}.jsonl"
    os.write(_file(path), f"{json.dumps(asdict(execution))}\n".encode())
    return execution


def executions(folder: Path) -> Iterator[Execution]:
    """Read what all processes noted."""
    for path in folder.glob("*.jsonl"):
        with path.open() as lines:
            for line in lines:
                yield Execution(**json.loads(line))


@cache
def _file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
