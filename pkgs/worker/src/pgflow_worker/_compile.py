"""Bringing the definitions of flows in line with their code when a worker starts."""

import json
import logging
from collections.abc import Iterable
from typing import Any, Final

from pgflow_client.worker_protocol import AsyncConn, ensure_flow_compiled
from pgflow_dsl import Flow

from pgflow_worker.errors import FlowShapeMismatch

logger: Final = logging.getLogger("pgflow.worker")


async def compile_flows(conn: AsyncConn, flows: Iterable[Flow[Any]], allow_data_loss: bool) -> None:
    """Compile flows that the database does not have; bring the options of others up to date.

    All flows or none: it is one transaction.

    Args:
        conn: A connection outside of any transaction.
        flows: The flows.
        allow_data_loss: Whether a changed structure deletes the flow's runs.

    Raises:
        FlowShapeMismatch: A flow has another structure in the database.
    """
    async with conn.transaction():
        # In one order for all workers: each flow is locked until the end.
        for flow in sorted(flows, key=lambda flow: flow.slug):
            shape = json.dumps(flow.shape())
            answer = json.loads(await ensure_flow_compiled(conn, flow.slug, shape, allow_data_loss))
            if answer["status"] == "mismatch":
                raise FlowShapeMismatch(flow.slug, answer["differences"])
            logger.info("flow %s: %s", flow.slug, answer["status"])
            if answer["updates"]:
                updates = ", ".join(answer["updates"])
                logger.info("options of flow %s were updated: %s", flow.slug, updates)
