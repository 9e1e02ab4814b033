"""Who may look at the dashboard, who may act, and the cookie that says so."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

__all__ = ["ACTION_HEADER", "LOOPBACK_NAMES", "Access", "is_loopback", "name_of", "new_token"]

ACTION_HEADER: Final = "x-pgflow-action"
"""A header that no page of another origin can send without asking first."""

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the dashboard lets whom do.

    Attributes:
        port: The port it listens on, which tells its cookie from those of other dashboards.
        may_act: Whether it starts, cancels and retries runs.
        token: What visitors have to show; None where everybody who gets here may look.
        names: The names that it may be called by; None is any.
    """

    port: int
    may_act: bool
    token: str | None = None
    names: frozenset[str] | None = LOOPBACK_NAMES

    @property
    def cookie(self) -> str:
        """The name of the cookie of those who have shown the token."""
        return f"pgflow_{self.port}"

    @property
    def pass_value(self) -> str:
        """What that cookie holds: made of the token, and of no use for finding it out."""
        key = (self.token or "").encode()
        return hmac.new(key, b"pgflow dashboard", hashlib.sha256).hexdigest()

    def knows_name(self, host: str) -> bool:
        """Tell whether a Host header names this dashboard.

        A page of a stranger may point its own name at this machine, and would then be of the same
        origin as what it finds here; but its name stays in the header.
        """
        return self.names is None or name_of(host) in self.names

    def accepts_token(self, given: str) -> bool:
        """Tell whether this is the token."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def accepts_pass(self, given: str) -> bool:
        """Tell whether this is what the cookie of a visitor holds who has shown the token."""
        return self.token is not None and hmac.compare_digest(
            given.encode(), self.pass_value.encode()
        )


def name_of(host: str) -> str:
    """Return the name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower().rstrip(".")


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """Make a token that nobody guesses."""
    return secrets.token_urlsafe(24)
