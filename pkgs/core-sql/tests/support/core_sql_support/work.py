"""What a call costs, counted: rows that are read, pages that are touched, tables that are scanned.

The database counts for itself, so this holds on any machine and in every version.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from core_sql_support.engine import Engine

# Partitions count as the table that they are of.
_COUNTERS: Final = """
select
  case schemaname
    when 'pgflow' then relname::text
    else regexp_replace(relname, '_(first|default|\\d{6})$', '')
  end,
  sum(seq_scan)::bigint,
  sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
from pg_stat_xact_all_tables
where schemaname in ('pgflow', 'pgflow_partitions')
group by 1
"""


@dataclass
class Work:
    """What a call cost.

    Attributes:
        rows: Rows that were read, by table.
        scanned: Tables that were read from end to end.
        pages: Pages that were touched; only `explained` counts them.
    """

    rows: dict[str, int] = field(default_factory=dict[str, int])
    scanned: set[str] = field(default_factory=set[str])
    pages: int = 0

    def total(self) -> int:
        return sum(self.rows.values())


@contextmanager
def counted(pg: Engine) -> Iterator[Work]:
    """Count the work of what is called inside, which has to be in one transaction."""
    before = _read(pg)
    work = Work()
    yield work
    for table, (scans, rows) in _read(pg).items():
        scans_before, rows_before = before.get(table, (0, 0))
        if scans > scans_before:
            work.scanned.add(table)
        if rows > rows_before:
            work.rows[table] = rows - rows_before


def explained(pg: Engine, query: str, *arguments: Any) -> Work:
    """Run a query and count its work, that of all the functions it calls included."""
    with counted(pg) as work:
        # As text, whatever the connection does with JSON.
        [(plan,)] = pg.rows(f"explain (analyze, buffers, format json) {query}", *arguments)
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    work.pages = sum(
        top[name] for name in top if name in {"Shared Hit Blocks", "Shared Read Blocks"}
    )
    return work


def _read(pg: Engine) -> dict[str, tuple[int, int]]:
    return {table: (scans, rows) for table, scans, rows in pg.rows(_COUNTERS)}
