"""Define typed pgflow flows with ordinary functions and compile them to SQL."""

from pgflow_dsl.compile import compile_flow
from pgflow_dsl.conditions import Conditions, Pattern
from pgflow_dsl.context import Context
from pgflow_dsl.errors import (
    DataInvalid,
    DefinitionError,
    FinalError,
    HandlerInputInvalid,
    HandlerOutputInvalid,
    InputInvalid,
    PgflowError,
    ReferenceUsed,
    RetryAfter,
    UnknownStep,
)
from pgflow_dsl.flow import Flow
from pgflow_dsl.jobs import Job, job
from pgflow_dsl.options import ExecutorOption, FlowOptions, SkipMode, StepOptions
from pgflow_dsl.shape import compare_shapes
from pgflow_dsl.step import AnyStep, MapStep, Step

__all__ = [
    "AnyStep",
    "Conditions",
    "Context",
    "DataInvalid",
    "DefinitionError",
    "ExecutorOption",
    "FinalError",
    "Flow",
    "FlowOptions",
    "HandlerInputInvalid",
    "HandlerOutputInvalid",
    "InputInvalid",
    "Job",
    "MapStep",
    "Pattern",
    "PgflowError",
    "ReferenceUsed",
    "RetryAfter",
    "SkipMode",
    "Step",
    "StepOptions",
    "UnknownStep",
    "compare_shapes",
    "compile_flow",
    "job",
]
