"""The client on asyncio; the source of its twin for threads."""
