"""Room for tasks: how many more the worker can take, of all, of a flow, and of a step."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pgflow_client.worker_protocol import TaskRow, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Slots that a claim may fill.

    Attributes:
        quantity: How many.
        room: How many of them at most with tasks of a limited queue, "flow" or "flow.step".
        text: The room as the database takes it; None where nothing is limited.
    """

    quantity: int
    room: Mapping[str, int]
    text: str | None = None


class Slots:
    """Counts free slots. A slot is taken from the claim of a task until its result is reported.

    Args:
        count: How many there are.
        flow_slugs: The flows that they serve, in their versions.
        limits: How many there are of them for a queue, "flow" or "flow.step", whose versions
            share it.
    """

    def __init__(
        self, count: int, flow_slugs: Sequence[str] = (), limits: Mapping[str, int] | None = None
    ) -> None:
        self._free = count
        self._flow_slugs: Final = flow_slugs
        self._free_of: Final = Counter(limits or {})
        self._limits_flows: Final = any(slug in self._free_of for slug in flow_slugs)
        self._room: Final = asyncio.Event()
        self._room.set()

    @property
    def free(self) -> int:
        """How many are free; below 0 where more were taken back than there were."""
        return self._free

    @property
    def limits_flows(self) -> bool:
        """Whether a whole flow is limited."""
        return self._limits_flows

    def open_flows(self) -> Sequence[str]:
        """Return the flows that there is room for."""
        if not self._limits_flows:
            return self._flow_slugs
        return [
            slug
            for slug in self._flow_slugs
            if name_of(slug) not in self._free_of or self._free_of[name_of(slug)] > 0
        ]

    def reserve(self) -> Reservation:
        """Take all free slots, and of limited queues all that is free of them."""
        room = {queue: max(free, 0) for queue, free in self._free_of.items()}
        quantity = self._free if self._has_room() else 0
        if quantity:
            self._free -= quantity
            self._free_of.subtract(room)
        self._room.clear()
        return Reservation(quantity=quantity, room=room, text=self._text(room))

    def settle(self, reservation: Reservation, rows: Sequence[TaskRow]) -> list[TaskRow]:
        """Give back what a claim did not fill.

        Args:
            reservation: What it could fill.
            rows: What it took.

        Returns:
            Those of the tasks for which there was no room, because their step was not yet claimed
            apart; they have slots all the same.
        """
        excess: list[TaskRow] = []
        if reservation.room:
            left = Counter(reservation.room)
            for row in rows:
                queues = self._limited_queues(row)
                if any(left[queue] <= 0 for queue in queues):
                    excess.append(row)
                left.subtract(queues)
            self._free_of.update(left)
        self._free += reservation.quantity - len(rows)
        self._tell()
        return excess

    def give_back(self, rows: Iterable[TaskRow]) -> None:
        """Free the slots of tasks."""
        for row in rows:
            self._free += 1
            if self._free_of:
                self._free_of.update(self._limited_queues(row))
        self._tell()

    def take_back(self, rows: Iterable[TaskRow]) -> None:
        """Take slots that were freed too soon; the count of free ones may fall below none."""
        for row in rows:
            self._free -= 1
            if self._free_of:
                self._free_of.subtract(self._limited_queues(row))
        if not self._has_room():
            self._room.clear()

    async def wait_for_room(self) -> None:
        """Return as soon as a slot is free that some flow may use."""
        # A lane may take what woke this up before it runs.
        while not self._has_room():
            await self._room.wait()

    def _has_room(self) -> bool:
        return self._free > 0 and (not self._limits_flows or bool(self.open_flows()))

    def _tell(self) -> None:
        if self._has_room():
            self._room.set()

    def _text(self, room: Mapping[str, int]) -> str | None:
        if not room:
            return None
        shares: dict[str, int] = {}
        for queue, free in room.items():
            name, dot, step_slug = queue.partition(".")
            versions = [slug for slug in self._flow_slugs if name_of(slug) == name]
            # One that gets too little this time may be the first the next time.
            random.shuffle(versions)
            for place, slug in enumerate(versions):
                share = (free + len(versions) - 1 - place) // len(versions)
                shares[f"{slug}{dot}{step_slug}"] = share
        return json.dumps(shares)

    def _limited_queues(self, row: TaskRow) -> list[str]:
        name = name_of(row.flow_slug or "")
        queues = (name, f"{name}.{row.step_slug}")
        return [queue for queue in queues if queue in self._free_of]
