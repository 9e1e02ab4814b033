"""Bringing the definitions of flows in line with their code when a worker starts."""

import json
import logging
from typing import Any, Final

from pgflow_client.worker_protocol import (
    AsyncConn,
    VersionMatch,
    ensure_flow_compiled,
    match_versions,
    read_shape,
)
from pgflow_dsl import Flow, compare_shapes

from pgflow_worker.errors import FlowShapeMismatch
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry

logger: Final = logging.getLogger("pgflow.worker")


async def compile_flows(conn: AsyncConn, registry: Registry, options: WorkerOptions) -> None:
    """Compile flows that the database does not have; bring the options of others up to date.

    All flows or none: it is one transaction. Then the registry knows which of their versions its
    handlers serve.

    Args:
        conn: A connection outside of any transaction.
        registry: The flows.
        options: What is to become of a flow whose structure has changed.

    Raises:
        FlowShapeMismatch: A flow has another structure in the database, and may not have another
            version.
    """
    served: list[str] = []
    async with conn.transaction():
        # In one order for all workers: each flow is locked until the end.
        for flow in sorted(registry.flows, key=lambda flow: flow.slug):
            served += await _compile(conn, flow, options)
    registry.serve(served)


async def _compile(conn: AsyncConn, flow: Flow[Any], options: WorkerOptions) -> list[str]:
    """Compile a flow; return the slugs of the versions that its handlers serve, its own first."""
    shape = json.dumps(flow.shape())
    former = await read_shape(conn, flow.slug)
    answer = json.loads(
        await ensure_flow_compiled(
            conn,
            flow.slug,
            shape,
            allow_data_loss=options.allow_data_loss,
            make_version=options.make_versions,
        )
    )
    if answer["status"] == "mismatch":
        raise FlowShapeMismatch(flow.slug, answer["differences"])
    logger.info("flow %s: %s", flow.slug, answer["status"])
    if answer.get("open_runs"):
        count = answer["open_runs"]
        runs = f"{count} runs that had" if count > 1 else "a run that had"
        logger.warning("defining flow %s anew has deleted %s not ended", flow.slug, runs)
    if answer["updates"]:
        updates = ", ".join(answer["updates"])
        logger.info("options of flow %s were updated: %s", flow.slug, updates)
    types = [each for each in answer["updates"] if each.endswith(" is another")]
    if types:
        logger.warning(
            "flow %s has other types now, which makes no version: %s; "
            "this code reads the runs under way, too, so fields that are new need defaults",
            *(flow.slug, ", ".join(types)),
        )
    if answer["status"] == "versioned":
        # None where another starter has defined it meanwhile.
        changed = compare_shapes(former, flow.shape()) if former else answer["differences"]
        logger.info(
            "new runs of flow %s take version %d: %s",
            *(flow.slug, answer["version"], "; ".join(changed)),
        )
    matches = await match_versions(conn, flow.slug, shape)
    _tell(flow.slug, matches)
    return [each.slug for each in sorted(matches, key=lambda each: not each.is_own) if _fits(each)]


def _fits(match: VersionMatch) -> bool:
    return match.is_own or not match.misfits


def _tell(flow_slug: str, matches: list[VersionMatch]) -> None:
    """Say which versions the worker serves, where that goes without saying no longer."""
    own = next((each for each in matches if each.is_own), None)
    current = next((each for each in matches if each.is_current), None)
    if own is not None and own.is_retired:
        logger.warning(
            "this code of flow %s is version %d, which is retired: no run of it starts or goes on; "
            "run the code of a version that is in use, or bring this one back: "
            "pgflow flows use %s %d",
            *(flow_slug, own.version, flow_slug, own.version),
        )
    elif own is not None and not own.is_current:
        taken = f"version {current.version}" if current is not None else "none"
        logger.warning(
            "this code of flow %s is version %d, and new runs take %s; to have them take it: "
            "pgflow flows use %s %d",
            *(flow_slug, own.version, taken, flow_slug, own.version),
        )
    for each in matches:
        if _fits(each):
            if not each.is_own:
                logger.info("version %d of flow %s is served, too", each.version, flow_slug)
        elif each.has_runs and not each.is_served:
            logger.warning(
                "version %d of flow %s has runs that have not ended, and no worker serves it; "
                "this code cannot: %s",
                *(each.version, flow_slug, "; ".join(each.misfits)),
            )
