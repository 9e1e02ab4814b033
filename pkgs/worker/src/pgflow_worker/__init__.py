"""Run the handlers of pgflow flows."""

from pgflow_worker.errors import (
    ExtraMissing,
    FlowShapeMismatch,
    FlowsInvalid,
    LoopCancelled,
    WorkerOptionsInvalid,
    WorkerStateInvalid,
)
from pgflow_worker.health import WorkerHealth
from pgflow_worker.options import LimitsOption, WorkerOptions
from pgflow_worker.state import WorkerState
from pgflow_worker.worker import Lifespan, Worker

__all__ = [
    "ExtraMissing",
    "FlowShapeMismatch",
    "FlowsInvalid",
    "Lifespan",
    "LimitsOption",
    "LoopCancelled",
    "Worker",
    "WorkerHealth",
    "WorkerOptions",
    "WorkerOptionsInvalid",
    "WorkerState",
    "WorkerStateInvalid",
]
