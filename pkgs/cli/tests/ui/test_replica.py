"""The dashboard of a standby: it shows all, says that it only reads, and lets nobody act."""

from collections.abc import Iterator
from datetime import timedelta

import pgflow_core_sql
import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer

from pkgs.cli.tests.ui.conftest import Flows, OpenSite
from tests.support import throwaway_server
from tests.support.replicas import catch_up, standby_of

PATIENCE = timedelta(seconds=60)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    with throwaway_server({"fsync": "off"}) as primary:
        pgflow_core_sql.Migrator(primary.url()).migrate()
        with standby_of(primary) as standby:
            yield primary, standby


@pytest.fixture
def conn(pair: tuple[EmbeddedServer, EmbeddedServer]) -> Iterator[psycopg.Connection]:
    """Where the flows are: on the primary."""
    with psycopg.connect(pair[0].url(), autocommit=True) as connection:
        yield connection


def test_the_dashboard_of_a_standby_shows_all_and_lets_nobody_act(
    open_site: OpenSite, pair: tuple[EmbeddedServer, EmbeddedServer], flows: Flows
):
    run_id = flows.start("greet", "Ada")
    flows.claim("greet")
    flows.emit(run_id, "hello", 1, ["a", "b"])
    waiting = flows.start("greet", "Bob")
    catch_up(*pair)
    site = open_site(url=pair[1].url(), may_act=True)

    about = site.ask("/api/about").value
    assert (about["is_replica"], about["may_act"]) == (True, False)

    looks = (
        ("/api/live/flows", "flows"),
        ("/api/live/flows/greet", "definition"),
        ("/api/live/runs", "runs"),
        (f"/api/live/runs/{run_id}/steps/hello/items", "blocks"),
        ("/api/live/workers", "health"),
    )
    for path, section in looks:
        state = site.state(
            path, lambda state, name=section: state.get("problem") or state.get(name)
        )
        assert state["problem"] is None, path
    assert [run["run_id"] for run in site.ask("/api/runs").value["runs"]] == [waiting, run_id]
    assert len(site.ask(f"/api/runs/{run_id}/steps/hello/tasks").value) == 1
    assert site.ask(f"/api/runs/{run_id}/value?kind=run_input").status == 200

    refused = site.act(f"/api/runs/{waiting}/cancel")
    assert (refused.status, refused.value["error"]["kind"]) == (409, "DatabaseReadOnly")

    # What happens on the primary is seen.
    stream = site.follow(f"/api/live/runs/{run_id}")
    assert next(stream)["progress"]["status"] == "started"
    flows.complete(run_id, "hello", "hi")
    assert any((changed.get("progress") or {}).get("status") == "completed" for changed in stream)
    stream.close()
