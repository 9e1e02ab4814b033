"""What asyncio and threads do differently, under the same names in both modules."""
