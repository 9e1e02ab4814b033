"""The trace that a run is started in, where OpenTelemetry is in use."""

from __future__ import annotations

import json
import sys

__all__ = ["current_trace_context"]


def current_trace_context() -> str | None:
    """Return the current span's context as JSON text of headers; None without a span.

    Which headers it has is the application's choice: OpenTelemetry's propagators write them.
    """
    # Without it there is no span, and importing it to find that out would cost those without.
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import propagate, trace

    if not trace.get_current_span().get_span_context().is_valid:
        return None
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return json.dumps(headers) if headers else None
