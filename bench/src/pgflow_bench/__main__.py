"""`python -m pgflow_bench`: measure, print a table, and keep the figures as JSON."""

import asyncio
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pgflow_cli.embedded import EmbeddedServer
from pgflow_core_sql import Migrator

from pgflow_bench import measure
from pgflow_bench.flows import chain, fan, one

Measurement = Callable[[str], Awaitable[float]]


def measurements(scale: float) -> dict[str, tuple[str, Measurement]]:
    """Return what is measured: a name, its unit and how."""
    singles, chains = int(20_000 * scale), int(2_000 * scale)
    elements = int(10_000 * scale)
    latencies = max(int(100 * scale), 10)
    return {
        "start in bulk": ("runs/s", lambda url: measure.start_rate(url, one, singles)),
        "drain one-step runs": (
            "runs/s",
            lambda url: measure.drain_rate(url, one, [1] * singles, singles),
        ),
        "drain chains of 5": (
            "steps/s",
            lambda url: measure.drain_rate(url, chain, [1] * chains, 5 * chains),
        ),
        f"map of {elements}": (
            "elements/s",
            lambda url: measure.drain_rate(url, fan, [list(range(elements))], elements),
        ),
        "start to handler, idle": ("ms", lambda url: measure.pickup_ms(url, latencies)),
        "chain of 5, idle": ("ms", lambda url: measure.chain_ms(url, latencies)),
    }


@click.command()
@click.option("--repeats", default=3, show_default=True, help="How often each is measured.")
@click.option("--scale", default=1.0, show_default=True, help="Share of the full load.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to keep the figures as JSON.")
def main(repeats: int, scale: float, out: Path | None) -> None:
    """Measure one worker on a throwaway PostgreSQL with durable commits."""
    plan = measurements(scale)
    figures: dict[str, list[float]] = {name: [] for name in plan}
    with tempfile.TemporaryDirectory(prefix="pgflow-bench-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedServer(
            Path(folder) / "server", settings={"shared_buffers": "512MB", "max_wal_size": "4GB"}
        )
        server.start()
        try:
            version = server.version()
            # Interleaved, so that a machine whose speed drifts is fair to all.
            for repeat in range(repeats):
                for number, (name, (unit, measurement)) in enumerate(plan.items()):
                    url = _database(server, f"bench_{repeat}_{number}")
                    figures[name].append(asyncio.run(_measure(measurement, url)))
                    click.echo(f"{name}: {figures[name][-1]:,.1f} {unit}", err=True)
        finally:
            server.reset()
    _print(plan, figures)
    if out is not None:
        out.write_text(json.dumps(_result(plan, figures, version), indent=2) + "\n")


async def _measure(measurement: Measurement, url: str) -> float:
    return await measurement(url)


def _database(server: EmbeddedServer, name: str) -> str:
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    Migrator(server.url(name)).migrate()
    return server.url(name)


def _print(plan: Mapping[str, tuple[str, Any]], figures: Mapping[str, list[float]]) -> None:
    width = max(len(name) for name in plan)
    for name, (unit, _) in plan.items():
        low, middle, high = min(figures[name]), statistics.median(figures[name]), max(figures[name])
        click.echo(f"{name:<{width}}  {middle:>10,.1f} {unit:<10} [{low:,.1f} .. {high:,.1f}]")


def _result(
    plan: Mapping[str, tuple[str, Any]], figures: Mapping[str, list[float]], version: str
) -> dict[str, Any]:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "postgresql": version,
        "cpus": os.cpu_count(),
        "figures": {
            name: {"unit": unit, "median": statistics.median(figures[name]), "all": figures[name]}
            for name, (unit, _) in plan.items()
        },
    }


if __name__ == "__main__":
    main()
