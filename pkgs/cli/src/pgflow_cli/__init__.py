"""The pgflow command: demo, dev tools, workers and an embedded PostgreSQL."""

from pgflow_cli.app import main

__all__ = ["main"]
