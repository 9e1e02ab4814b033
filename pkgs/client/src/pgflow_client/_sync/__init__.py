# Made by tools/make_sync.py from _async/__init__.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""The client for threads; made from its twin on asyncio."""
