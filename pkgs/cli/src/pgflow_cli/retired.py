"""Which workers serve what is out of use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pgflow_client.overview import WorkerOverview
    from pgflow_client.versions import FlowVersion

__all__ = ["serving_retired"]


def serving_retired(
    workers: Sequence[WorkerOverview], versions: Sequence[FlowVersion]
) -> Iterator[tuple[WorkerOverview, FlowVersion]]:
    """Give workers with the youngest version that they serve of a flow, where all are retired."""
    by_slug = {each.slug: each for each in versions}
    for worker in workers:
        if worker.state != "alive":
            continue
        served = [by_slug[slug] for slug in worker.flow_slugs if slug in by_slug]
        in_use = {each.flow for each in served if each.retired_at is None}
        youngest = {each.flow: each for each in sorted(served, key=lambda each: each.version)}
        for name, each in youngest.items():
            if name not in in_use:
                yield worker, each
