"""`python -m pgflow_bench`: measure, print tables, and keep the figures as JSON."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from pgflow_cli.embedded import EmbeddedServer

from pgflow_bench.compare import slower_than
from pgflow_bench.conversation import AdapterFailed, Outcome, measure
from pgflow_bench.plan import PLAN, Measurement
from pgflow_bench.results import document, figure_of, table_of, to_text
from pgflow_bench.server import SETTINGS, drop_database, durable_server, fresh_database

_DATABASE = "pgflow_bench"
_RESULTS = Path(__file__).parents[2] / "results"


@click.command()
@click.option("--full", is_flag=True, help="Everything at its full size; takes an hour.")
@click.option("--only", multiple=True, help="A group, such as W1; may be given several times.")
@click.option("--repeats", default=None, type=int, help="How often each is measured. [1, full: 3]")
@click.option("--peers/--no-peers", default=True, help="Whether other systems are measured too.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to keep the figures as JSON. [results/<date>-<machine>.json of a full run]",
)
@click.option(
    "--guard",
    type=click.Path(exists=True, path_type=Path),
    help="An earlier result file; fail where ratios are much worse than in it.",
)
def main(
    full: bool,
    only: Sequence[str],
    repeats: int | None,
    peers: bool,
    out: Path | None,
    guard: Path | None,
) -> None:
    """Measure on a throwaway PostgreSQL with durable commits."""
    chosen = [
        each
        for each in PLAN
        if (not only or each.group in only)
        and (peers or not each.is_peer)
        and (each.full if full else each.quick)
    ]
    if not chosen:
        known = ", ".join(sorted({each.group for each in PLAN}))
        raise click.UsageError(f"there is nothing to measure; the groups are {known}")
    repeats = repeats or (3 if full else 1)
    with durable_server() as server:
        outcomes = _measure_all(server, chosen, full, repeats)
        version = server.version()
    figures = {each: figure_of(each, outcomes[each]) for each in chosen if outcomes[each]}
    for group in sorted({each.group for each in figures}):
        rows = {each: figure for each, figure in figures.items() if each.group == group}
        click.echo(f"\n{group}\n\n{table_of(rows)}")
    form = "full" if full else "quick"
    said = {"postgresql": version, "settings": SETTINGS, "repeats": repeats, "form": form}
    result = document(figures, said)
    if out is None and full and not only:
        out = _RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{platform.machine()}-{os.cpu_count()}.json"
    if out is not None:
        out.write_text(to_text(result))
    if guard is not None and (slower := slower_than(guard, result)):
        raise click.ClickException("slower than before:\n" + "\n".join(slower))
    failed = [each.label for each in chosen if not outcomes[each]]
    if failed:
        raise click.ClickException(f"without figures: {', '.join(failed)}")


def _measure_all(
    server: EmbeddedServer, chosen: Sequence[Measurement], full: bool, repeats: int
) -> dict[Measurement, list[Outcome]]:
    outcomes: dict[Measurement, list[Outcome]] = {each: [] for each in chosen}
    # Interleaved, so that a machine whose speed drifts is fair to all.
    for _ in range(repeats):
        for each in chosen:
            url = fresh_database(server, _DATABASE)
            count = each.full if full else each.quick
            try:
                outcome = measure(each.system, each.workload, url, count, each.timeout)
            except AdapterFailed as error:
                click.echo(f"{each.group} {each.label}: {error}", err=True)
                continue
            finally:
                drop_database(server, _DATABASE)
            outcomes[each].append(outcome)
            value = figure_of(each, [outcome]).value
            click.echo(f"{each.group} {each.label}: {value:,.1f} {each.unit}", err=True)
    return outcomes


if __name__ == "__main__":
    main()
