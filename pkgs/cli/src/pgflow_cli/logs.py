"""The log of a worker: lines for people or JSON for machines, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from pgflow_cli.printing import may_color, paint

__all__ = ["LEVELS", "log_to_stderr"]

LEVELS: Final = ("debug", "info", "warning", "error")
# What the worker's loggers say about whom they speak of.
_SUBJECTS: Final = (
    *("flow_slug", "step_slug", "run_id", "task_index", "attempt"),
    *("duration", "retry_in"),
)
# Its messages name them in the midst of the sentence.
_SELF_EXPLAINING: Final = "pgflow.worker"
_COLORS: Final = {"DEBUG": "bright_black", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


def log_to_stderr(level: str, *, as_json: bool) -> None:
    """Send all logging of this process to stderr.

    Args:
        level: One of LEVELS.
        as_json: Whether each record is an object of JSON on a line of its own.
    """
    handler = logging.StreamHandler(sys.stderr)
    use_color = sys.stderr.isatty() and may_color()
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter(use_color=use_color))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Its debugging is about the loop, not about what runs on it.
    logging.getLogger("asyncio").setLevel(max(root.level, logging.INFO))


class LineFormatter(logging.Formatter):
    """Writes a record as `12:34:56 INFO    pgflow.worker: message (step=…)`.

    Args:
        use_color: Whether to colour what is out of the ordinary.
    """

    def __init__(self, *, use_color: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._use_color = use_color

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Write the line, and what the record is about behind it."""
        line = super().formatMessage(record)
        subjects = {} if record.name == _SELF_EXPLAINING else _subjects(record)
        if subjects:
            line += f" ({', '.join(f'{name}={value}' for name, value in subjects.items())})"
        color = _COLORS.get(record.levelname)
        return paint(line, color) if color and self._use_color else line


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, logger, message, and what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_subjects(record),
            **_span(),
        }
        # A traceback may have become text where it came from.
        exception = record.exc_text or (record.exc_info and self.formatException(record.exc_info))
        if exception:
            fields["exception"] = exception
        return json.dumps(fields, ensure_ascii=False, default=str)


def _subjects(record: logging.LogRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in _SUBJECTS if hasattr(record, name)}


def _span() -> dict[str, object]:
    """Name the span that the record was written in, where OpenTelemetry is in use."""
    api = sys.modules.get("opentelemetry.trace")
    span = None if api is None else api.get_current_span().get_span_context()
    if span is None or not span.is_valid:
        return {}
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
