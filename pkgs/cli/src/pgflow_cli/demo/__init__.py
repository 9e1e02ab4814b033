"""The demo: a flow that reads a folder's files and reports on them, shown while it runs."""
