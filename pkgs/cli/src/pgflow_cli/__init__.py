"""The pgflow command: demo, dev tools, workers and an embedded PostgreSQL."""
