"""Opening a dashboard: who may come in, where it listens, and the address to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pgflow_worker import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_cli.database import Database
    from pgflow_cli.ui.serving import DashboardServer

__all__ = ["OpenDashboard", "open_dashboard"]

EXTRA: Final = "pgflow-cli[ui]"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDashboard:
    """A dashboard that listens, and is served as soon as it is run.

    Attributes:
        server: Runs it.
        address: Its page, with the token where it takes one.
        needs_token: Whether it takes one.
    """

    server: DashboardServer
    address: str
    needs_token: bool


def open_dashboard(
    database: Database,
    *,
    host: str,
    port: int | None,
    may_act: bool,
    token: str | None = None,
    names: Sequence[str] = (),
) -> OpenDashboard:
    """Open a dashboard.

    Args:
        database: What it shows.
        host: The address to listen on.
        port: The port, 0 for any; None for the usual one or one of the next.
        may_act: Whether visitors may start, cancel, retry and restart runs.
        token: What visitors have to show; "" makes one. None asks for none, where only this
            machine can get here; elsewhere one is made all the same.
        names: Names besides those of this machine that it may be called by.

    Raises:
        ExtraMissing: The libraries that serve it are not installed.
        AddressTaken: It cannot listen there.
    """
    from importlib.metadata import version
    from importlib.util import find_spec

    if any(find_spec(library) is None for library in ("starlette", "uvicorn")):
        raise ExtraMissing("the dashboard", EXTRA)

    from pgflow_cli.ui.access import Access, is_loopback, new_token
    from pgflow_cli.ui.app import make_dashboard
    from pgflow_cli.ui.serving import DashboardServer, address_of, listen

    is_private = is_loopback(host) and not names
    if not is_private or token is not None:
        token = token or new_token()
    listener = listen(host, port)
    access = Access(
        port=listener.getsockname()[1],
        may_act=may_act,
        token=token,
        names=_names(host, names),
    )
    dashboard = make_dashboard(
        database.url, access, version=version("pgflow-cli"), label=_label(database)
    )
    address = address_of(listener, host)
    return OpenDashboard(
        server=DashboardServer(dashboard, listener),
        address=address if token is None else f"{address}login?token={token}",
        needs_token=token is not None,
    )


def _names(host: str, names: Sequence[str]) -> frozenset[str] | None:
    from pgflow_cli.ui.access import LOOPBACK_NAMES, is_loopback

    if not is_loopback(host) and not names:
        # Nobody knows by which names other machines call this one. The token is bound to the name
        # by which it was shown, so a name of a stranger's brings nothing.
        return None
    own = f"[{host}]" if ":" in host else host
    return LOOPBACK_NAMES | {own.lower(), *(name.lower() for name in names)}


def _label(database: Database) -> str:
    """Name the database for people, without its password."""
    if database.is_embedded:
        return "embedded PostgreSQL"
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(database.url)
    name = parts.get("dbname") or parts.get("user") or "postgres"
    host = str(parts.get("host") or "/")
    return f"{name} on {'this machine' if host.startswith('/') else host}"
