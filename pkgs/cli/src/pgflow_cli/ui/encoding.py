"""What the dashboard's pages receive: values as JSON, errors as JSON with a fitting status."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from pgflow_client import (
    ArgumentInvalid,
    DatabaseReadOnly,
    DatabaseUnreachable,
    FlowNotFound,
    InputRefused,
    PermissionRefused,
    PgflowError,
    RunCompleted,
    RunExists,
    RunNotFound,
    StepNotFound,
)
from pgflow_dsl import InputInvalid
from starlette.responses import Response

__all__ = ["answer", "answer_error", "describe", "to_json"]

_STATUSES: Final[dict[type[Exception], int]] = {
    RunNotFound: 404,
    FlowNotFound: 404,
    StepNotFound: 404,
    InputInvalid: 422,
    InputRefused: 422,
    PermissionRefused: 403,
    DatabaseReadOnly: 409,
    RunCompleted: 409,
    RunExists: 409,
    DatabaseUnreachable: 503,
    # Such as a NUL in a name: no text of PostgreSQL has one.
    ArgumentInvalid: 400,
    psycopg.DataError: 400,
}


def to_json(value: object) -> str:
    """Return a value as JSON text, with dataclasses as objects and instants as texts."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def answer(value: object, status: int = 200) -> Response:
    """Answer with a value."""
    return Response(to_json(value), status, media_type="application/json")


def answer_error(error: Exception) -> Response:
    """Answer with what went wrong."""
    status = next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)
    if isinstance(error, psycopg.errors.QueryCanceled):
        status = 504
    return answer({"error": describe(error)}, status)


def describe(error: Exception) -> dict[str, str]:
    """Return an error as people see it: its name and its message."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        message = "the database did not answer in time; it may be busy"
        return {"kind": "TookTooLong", "message": message}
    if isinstance(error, PgflowError | psycopg.Error):
        message = "\n".join([str(error).strip(), *getattr(error, "__notes__", ())])
        return {"kind": type(error).__name__, "message": message}
    return {"kind": "Unexpected", "message": f"{type(error).__name__}: {error}"}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            # A number of JSON may be larger than any float.
            return value if math.isfinite(value) else str(value)
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case _ if is_dataclass(value):
            return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        case _:
            return _plain_collection(value)


def _plain_collection(value: Iterable[Any]) -> Any:
    if isinstance(value, Mapping):
        pairs: Mapping[Any, Any] = value
        return {str(key): _plain(each) for key, each in pairs.items()}
    return [_plain(each) for each in value]
