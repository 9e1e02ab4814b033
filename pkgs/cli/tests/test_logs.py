"""What lines of the log hold, plain and as JSON."""

import json
import logging

from opentelemetry.sdk.trace import TracerProvider
from pgflow_cli.logs import JsonFormatter, LineFormatter

ABOUT = {"step_slug": "fetch", "run_id": "r", "task_index": 0, "attempt": 2, "duration": 0.5}


def record(name: str) -> logging.LogRecord:
    fields = {"name": name, "levelno": logging.INFO, "levelname": "INFO", "msg": "hello"}
    return logging.makeLogRecord(fields | ABOUT)


def test_json_names_what_a_record_is_about_and_the_span_it_was_written_in():
    outside = json.loads(JsonFormatter().format(record("pgflow.worker")))
    assert outside.items() >= (ABOUT | {"message": "hello", "level": "info"}).items()
    assert "trace_id" not in outside
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        inside = json.loads(JsonFormatter().format(record("pgflow.task")))
    context = span.get_span_context()
    assert inside["trace_id"] == f"{context.trace_id:032x}"
    assert inside["span_id"] == f"{context.span_id:016x}"


def test_a_traceback_that_is_text_already_is_shown_in_both_forms():
    failed = record("pgflow.worker")
    failed.exc_text = "Traceback (most recent call last):\n  and so on"
    assert json.loads(JsonFormatter().format(failed))["exception"] == failed.exc_text
    assert LineFormatter(use_color=False).format(failed).endswith(f"hello\n{failed.exc_text}")


def test_plain_lines_of_handlers_say_whose_they_are_and_those_of_the_worker_do_already():
    formatter = LineFormatter(use_color=False)
    assert formatter.format(record("pgflow.task")).endswith(
        "pgflow.task: hello (step_slug=fetch, run_id=r, task_index=0, attempt=2, duration=0.5)"
    )
    assert formatter.format(record("pgflow.worker")).endswith("pgflow.worker: hello")
