"""The chaos suite: workers and servers are killed, frozen and cut off, and nothing may be lost."""
