"""Metrics as text for Prometheus: of this process, or of several that share a folder."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pgflow_worker import ExtraMissing

from pgflow_cli.probes import Answer

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["SharedMetrics", "metrics_of_process", "require_prometheus", "shared_metrics"]

# What prometheus_client looks for when it is imported.
_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def require_prometheus() -> None:
    """Raise unless prometheus_client is installed.

    Raises:
        ExtraMissing: It is not.
    """
    try:
        import prometheus_client  # noqa: F401 (only whether it is there)
    except ImportError:
        raise ExtraMissing("--metrics-port", "pgflow-cli[prometheus]") from None


def metrics_of_process() -> Answer:
    """Answer with the metrics of this process, those of people's own code included."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

    return Answer(status=200, body=generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class SharedMetrics:
    """The metrics of child processes, which write them into a folder.

    Args:
        folder: The folder; None where nobody wants them.

    Attributes:
        environment: Variables that have a child do so.
    """

    def __init__(self, folder: str | None) -> None:
        self.environment: Final = {} if folder is None else {_VARIABLE: folder}
        self._folder: Final = folder

    def answer(self) -> Answer:
        """Answer with the metrics of all children, in one."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._folder)
        return Answer(status=200, body=generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    def forget(self, pid: int) -> None:
        """Drop what only a living process can say; what a child has counted stays."""
        if self._folder is not None:
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(pid, self._folder)


@contextmanager
def shared_metrics(*, is_wanted: bool) -> Generator[SharedMetrics]:
    """Make a folder for the metrics of children, for as long as the context lasts.

    Args:
        is_wanted: Whether anybody wants them; nothing is made otherwise.
    """
    if not is_wanted:
        yield SharedMetrics(None)
        return
    with TemporaryDirectory(prefix="pgflow-metrics-") as folder:
        yield SharedMetrics(folder)
