"""Where a worker's metrics go: OpenTelemetry, or a registry of prometheus_client."""

import sys
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from pgflow_worker._metrics import INSTRUMENTS, Instrument, Meter
from pgflow_worker.errors import ExtraMissing

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram
    from prometheus_client import CollectorRegistry

_NAME: Final = "pgflow.worker"


class _Gauge(Protocol):
    """OpenTelemetry's gauge, for which its API has no public name."""

    def set(self, amount: float, attributes: dict[str, str]) -> None: ...


def find_meters(*, prometheus: bool) -> list[Meter]:
    """Return a meter for each system that wants values: none where nobody does.

    Args:
        prometheus: Whether the default registry of prometheus_client is to have them.

    Raises:
        ExtraMissing: It is, and that is not installed.
    """
    meters: list[Meter] = []
    if _has_provider("opentelemetry.metrics"):
        meters.append(OpenTelemetryMeter())
    if prometheus:
        meters.append(_prometheus_meter())
    return meters


def has_tracer_provider() -> bool:
    """Tell whether somebody takes spans."""
    return _has_provider("opentelemetry.trace")


def _has_provider(module: str) -> bool:
    """Tell whether OpenTelemetry has a provider in this process, other than its API's own.

    Those record nothing; an SDK brings its own, and has then imported the API.
    """
    api = sys.modules.get(module)
    if api is None:
        return False
    find = api.get_tracer_provider if module.endswith(".trace") else api.get_meter_provider
    return not type(find()).__module__.startswith(module)


class OpenTelemetryMeter:
    """Puts values into instruments of OpenTelemetry's global meter provider."""

    def __init__(self) -> None:
        from opentelemetry import metrics

        meter = metrics.get_meter(_NAME)
        self._adders: Final[dict[str, Counter]] = {}
        self._recorders: Final[dict[str, Histogram]] = {}
        self._setters: Final[dict[str, _Gauge]] = {}
        for each in INSTRUMENTS:
            if each.kind == "counter":
                self._adders[each.name] = meter.create_counter(
                    each.name, each.unit, each.description
                )
            elif each.kind == "histogram":
                self._recorders[each.name] = meter.create_histogram(
                    each.name,
                    each.unit,
                    each.description,
                    explicit_bucket_boundaries_advisory=list(each.buckets),
                )
            else:
                self._setters[each.name] = meter.create_gauge(
                    each.name, each.unit, each.description
                )

    def put(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Add to a counter, take a value into a histogram, or set a gauge."""
        attributes = {
            f"pgflow.{name}": label for name, label in zip(instrument.labels, labels, strict=True)
        }
        if instrument.kind == "counter":
            self._adders[instrument.name].add(value, attributes)
        elif instrument.kind == "histogram":
            self._recorders[instrument.name].record(value, attributes)
        else:
            self._setters[instrument.name].set(value, attributes)


class PrometheusMeter:
    """Puts values into metrics of prometheus_client.

    Args:
        registry: The registry that has them.
    """

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Gauge, Histogram

        self._counters: Final[dict[str, Counter]] = {}
        self._histograms: Final[dict[str, Histogram]] = {}
        self._gauges: Final[dict[str, Gauge]] = {}
        for each in INSTRUMENTS:
            name = each.name.replace(".", "_")
            if each.kind == "counter":
                self._counters[each.name] = Counter(
                    name, each.description, each.labels, registry=registry
                )
            elif each.kind == "histogram":
                unit = "seconds" if each.unit == "s" else ""
                self._histograms[each.name] = Histogram(
                    name,
                    each.description,
                    each.labels,
                    unit=unit,
                    buckets=each.buckets,
                    registry=registry,
                )
            else:
                self._gauges[each.name] = Gauge(
                    name,
                    each.description,
                    each.labels,
                    unit="seconds" if each.unit == "s" else "",
                    registry=registry,
                    # Of several processes that share a folder of values.
                    multiprocess_mode="livemostrecent" if each.is_shared else "livesum",
                )

    def put(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Add to a counter, take a value into a histogram, or set a gauge."""
        if instrument.kind == "counter":
            counter = self._counters[instrument.name]
            (counter.labels(*labels) if labels else counter).inc(value)
        elif instrument.kind == "histogram":
            histogram = self._histograms[instrument.name]
            (histogram.labels(*labels) if labels else histogram).observe(value)
        else:
            gauge = self._gauges[instrument.name]
            (gauge.labels(*labels) if labels else gauge).set(value)


@cache
def _prometheus_meter() -> PrometheusMeter:
    # Once: a registry refuses a second metric of one name.
    try:
        from prometheus_client import REGISTRY
    except ImportError:
        raise ExtraMissing("the Prometheus registry", "pgflow-worker[prometheus]") from None
    return PrometheusMeter(REGISTRY)
