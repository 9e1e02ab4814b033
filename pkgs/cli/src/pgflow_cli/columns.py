"""Rows as lines with columns, made to fit a terminal."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from pgflow_cli.printing import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["lay_out"]

_GAP: Final = "  "
# Below this nothing is recognised any more.
_LEAST: Final = 6
# So much of a text tells what it is about; before less is shown of it, other columns go.
_READABLE: Final = 16


def lay_out(
    heads: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    whole: Collection[str] = (),
    first_to_go: Sequence[str] = (),
) -> Iterator[str]:
    """Give the lines of a table; in a pipe they are as wide as they need to be.

    Args:
        heads: The names of the columns.
        rows: The cells. A column in which nothing is said is left out.
        whole: Columns that are never cut, such as ids, which people copy.
        first_to_go: Columns that are left out on a terminal that is too narrow for all, the first
            of them first.
    """
    texts = [list(heads), *([_on_one_line(str(cell)) for cell in row] for row in rows)]
    columns = [place for place, _ in enumerate(heads) if any(row[place] for row in texts[1:])]
    widths = {place: max(cell_len(row[place]) for row in texts) for place in columns}
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if room is not None:
        kept = {place for place in columns if heads[place] in whole}
        for place in sorted(
            (each for each in columns if heads[each] in first_to_go),
            key=lambda each: first_to_go.index(heads[each]),
        ):
            if _readable_total(widths, kept) > room:
                del widths[place]
        _shrink(widths, room, kept)
    for row in texts:
        cells = (_fit(row[place], width) for place, width in widths.items())
        yield _GAP.join(cells).rstrip()


def _shrink(widths: dict[int, int], room: int, whole: Collection[int]) -> None:
    """Take from the widest column again and again, until all fit, or nothing is left to take."""
    while _total(widths) > room:
        widest = max(
            (place for place, width in widths.items() if place not in whole and width > _LEAST),
            key=widths.__getitem__,
            default=None,
        )
        if widest is None:
            return
        widths[widest] -= 1


def _readable_total(widths: dict[int, int], whole: Collection[int]) -> int:
    """Count what all columns need at least for people to read them."""
    return _total(
        {
            place: width if place in whole else min(width, _READABLE)
            for place, width in widths.items()
        }
    )


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _fit(text: str, width: int) -> str:
    # Some characters are as wide as two, and some have no width at all.
    if cell_len(text) > width:
        text = f"{set_cell_size(text, width - 1)}…"
    return set_cell_size(text, width)


def _on_one_line(text: str) -> str:
    return printable(" ".join(text.split("\n")).replace("\t", " "))
