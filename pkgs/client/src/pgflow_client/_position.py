"""Where a reader of a run's events stands, as a value and as the text of a cursor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from pgflow_client._run_errors import CursorInvalid

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow_client.progress import RunProgress, StepStatus

__all__ = ["Position", "Told", "position_after", "rank_of"]

Rank: TypeAlias = Literal[0, 1, 2]

_RANK: Final[dict[StepStatus, Rank]] = {
    "created": 0,
    "started": 1,
    "completed": 2,
    "failed": 2,
    "skipped": 2,
    "cancelled": 2,
}
_LETTERS: Final = "cse"
_STAGES: Final = "nse"

# Letters, digits, dots, dashes and underscores: whole in a URL, a header and a file name.
# 1.<first digits of the run's id>.<times reopened>.<stage of the run>.<steps, in order>
_STEP_TEXT: Final = r"([cse])(\d{1,9})?(?:-(\d{1,9}))?(?:_(\d{1,5}))?"
_CURSOR: Final = re.compile(
    rf"1\.([0-9a-f]{{12}})\.(\d{{1,9}})\.([nse])\.((?:{_STEP_TEXT})*)", re.ASCII
)
# A step: how far, failed attempts, done tasks; and how many steps in a row are the same.
_STEP: Final = re.compile(_STEP_TEXT, re.ASCII)
# Far beyond what a flow can have: a forged cursor must not fill the memory.
_MOST_STEPS: Final = 100_000


class Told(NamedTuple):
    """What has been told of a step.

    Attributes:
        rank: 0 nothing, 1 its start, 2 its end.
        failed_attempts: How many failed attempts.
        tasks_done: How many completed tasks.
    """

    rank: Rank = 0
    failed_attempts: int = 0
    tasks_done: int = 0


@dataclass(slots=True, kw_only=True)
class Position:
    """What has been told of a run.

    Attributes:
        run_id: The run.
        reopened_count: How often the run had been retried or restarted.
        is_begun: Whether its start has been told.
        is_ended: Whether its end has been told, since it was last reopened.
        steps: What has been told of its steps, in their order.
    """

    run_id: UUID
    reopened_count: int = 0
    is_begun: bool = False
    is_ended: bool = False
    steps: list[Told] = field(default_factory=list[Told])

    def __str__(self) -> str:
        stage = _STAGES[self.is_begun + self.is_ended]
        parts: list[str] = []
        place = 0
        while place < len(self.steps):
            told = self.steps[place]
            end = place + 1
            while end < len(self.steps) and self.steps[end] == told:
                end += 1
            failed = told.failed_attempts or ""
            done = f"-{told.tasks_done}" if told.tasks_done else ""
            repeated = f"_{end - place}" if end - place > 1 else ""
            parts.append(f"{_LETTERS[told.rank]}{failed}{done}{repeated}")
            place = end
        return f"1.{self.run_id.hex[-12:]}.{self.reopened_count}.{stage}.{''.join(parts)}"

    @classmethod
    def parse(cls, cursor: str, run_id: UUID) -> Position:
        """Return the position that a cursor stands for.

        Raises:
            CursorInvalid: The text is no cursor, or one of another run.
        """
        found = _CURSOR.fullmatch(cursor)
        if found is None or found[1] != run_id.hex[-12:]:
            raise CursorInvalid(run_id, cursor)
        steps: list[Told] = []
        for part in _STEP.finditer(found[4]):
            rank: Rank = 0 if part[1] == "c" else 1 if part[1] == "s" else 2
            told = Told(rank, int(part[2] or 0), int(part[3] or 0))
            repeated = int(part[4] or 1)
            if len(steps) + repeated > _MOST_STEPS:
                raise CursorInvalid(run_id, cursor)
            steps += [told] * repeated
        return cls(
            run_id=run_id,
            reopened_count=int(found[2]),
            is_begun=found[3] != "n",
            is_ended=found[3] == "e",
            steps=steps,
        )


def rank_of(status: StepStatus) -> Rank:
    """Return how far a step of this status has come."""
    return _RANK[status]


def position_after(run: RunProgress) -> Position:
    """Return where a reader stands who knows all that a look at the run shows."""
    return Position(
        run_id=run.run_id,
        reopened_count=run.reopened_count,
        is_begun=True,
        is_ended=run.is_ended,
        steps=[
            Told(
                rank_of(step.status), step.failed_attempts, 0 if step.is_ended else step.tasks_done
            )
            for step in run.steps
        ],
    )
