"""Define typed pgflow flows with ordinary functions and compile them to SQL."""

from pgflow_dsl.cancellation import Cancellation
from pgflow_dsl.compile import compile_flow, compile_version
from pgflow_dsl.conditions import Conditions, Pattern
from pgflow_dsl.context import Context
from pgflow_dsl.errors import (
    AttemptCancelled,
    ContextUnavailable,
    DataInvalid,
    DefinitionError,
    FinalError,
    HandlerInputInvalid,
    HandlerOutputInvalid,
    InputInvalid,
    ItemInvalid,
    PgflowError,
    ReferenceUsed,
    RetryAfter,
    StreamFull,
    TransactionBroken,
    TransactionEnded,
    UnknownStep,
)
from pgflow_dsl.flow import Flow
from pgflow_dsl.jobs import Job, job
from pgflow_dsl.options import Backoff, ExecutorOption, FlowOptions, SkipMode, StepOptions
from pgflow_dsl.shape import compare_shapes, compare_types
from pgflow_dsl.step import AnyStep, MapStep, Step
from pgflow_dsl.surroundings import Surroundings

__all__ = [
    "AnyStep",
    "AttemptCancelled",
    "Backoff",
    "Cancellation",
    "Conditions",
    "Context",
    "ContextUnavailable",
    "DataInvalid",
    "DefinitionError",
    "ExecutorOption",
    "FinalError",
    "Flow",
    "FlowOptions",
    "HandlerInputInvalid",
    "HandlerOutputInvalid",
    "InputInvalid",
    "ItemInvalid",
    "Job",
    "MapStep",
    "Pattern",
    "PgflowError",
    "ReferenceUsed",
    "RetryAfter",
    "SkipMode",
    "Step",
    "StepOptions",
    "StreamFull",
    "Surroundings",
    "TransactionBroken",
    "TransactionEnded",
    "UnknownStep",
    "compare_shapes",
    "compare_types",
    "compile_flow",
    "compile_version",
    "job",
]
